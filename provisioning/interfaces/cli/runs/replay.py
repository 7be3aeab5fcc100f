"""`replay`: a past run's plan, computed again."""

from __future__ import annotations

import click

from provisioning.interfaces.cli.session import Session, output_option, pass_session, print_shape


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="[INFRA] RUN")
@output_option
@pass_session
def replay(session: Session, names: tuple[str, ...], output: str) -> int:
    """Compute the plan of RUN again from its inputs: the same digest, or why not.

    Exits with 1 if it is another plan. Looks at nothing but Git, and changes nothing.
    """
    from provisioning.interfaces.cli.infra_arguments import choose_infra
    from provisioning.interfaces.cli.render.plans import render_plan
    from provisioning.interfaces.schema.results import shape_plan
    from provisioning.reconciler.explain.replay import find_run, replay_run

    workspace = session.open_workspace()
    commit = workspace.read_commit()
    infra, run = choose_infra(workspace.choose_infras(commit, None, recorded=True), names)
    log = workspace.build_log(infra)
    begun = find_run(workspace.repository, log, run)
    found = replay_run(workspace.build_reconciler(infra, begun.begin.commit), log, begun)
    if output == "text":
        if found.plan:
            click.echo(render_plan(found.plan) + "\n")
        violation = "the same plan" if found.is_same else "another plan, or none"
        click.echo(f"run {begun.begin.run}: {violation}; {begun.begin.digest}")
        for reason in found.reasons:
            click.echo(f"  {reason}")
    else:
        shape = {
            "infra": infra,
            "run": begun.begin.run,
            "same": found.is_same,
            "recorded": begun.begin.digest,
            "digest": found.digest,
            "reasons": list(found.reasons),
            "plan": shape_plan(found.plan) if found.plan else None,
        }
        print_shape(shape, output)
    return 0 if found.is_same else 1

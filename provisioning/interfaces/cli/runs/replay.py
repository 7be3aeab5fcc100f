"""`replay`: a past run's plan, computed again."""

from __future__ import annotations

import click

from provisioning.interfaces.cli.arguments import split_run
from provisioning.interfaces.cli.session import Session, output_option, pass_session, print_shape


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="[INFRA] RUN")
@output_option
@pass_session
def replay(session: Session, names: tuple[str, ...], output: str) -> int:
    """Compute the plan of RUN again from its inputs: the same digest, or why not.

    Exits with 1 if it is another plan. Reads nothing but Git, and changes nothing.
    """
    from provisioning.application.inspect.history import ReplayRequest
    from provisioning.interfaces.cli.render.plans import render_plan

    infra, run = split_run(names)
    answer = session.call(ReplayRequest(run=run, infra=infra))
    found = answer.replay
    if output != "text":
        from provisioning.interfaces.schema.explanations import ReplayDocument

        print_shape(ReplayDocument.of(answer), output)
        return 0 if found.is_same else 1
    if found.plan:
        click.echo(render_plan(found.plan) + "\n")
    shown = "the same plan" if found.is_same else "another plan, or none"
    click.echo(f"run {found.begin.run}: {shown}; {found.begin.digest}")
    for reason in found.reasons:
        click.echo(f"  {reason}")
    return 0 if found.is_same else 1

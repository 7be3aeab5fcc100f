"""`undo`: the desired state before a run, as a new commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from provisioning.interfaces.cli.session import Session, output_option, pass_session, print_shape

if TYPE_CHECKING:
    from provisioning.bootstrap import Workspace
    from provisioning.core.model.ids import RunId
    from provisioning.reconciler.operations.undo import UndoPlan


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="[INFRA] RUN")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--pr", is_flag=True, help="Open a pull request instead.")
@output_option
@pass_session
def undo(session: Session, names: tuple[str, ...], output: str, *, yes: bool, pr: bool) -> int:
    """Bring back the desired state before RUN by a new commit on the branch.

    Shows the plan that the commit leads to, and asks. It applies nothing: the next run does.
    """
    from provisioning.interfaces.cli.confirmation import confirm
    from provisioning.interfaces.cli.infra_arguments import choose_infra
    from provisioning.interfaces.cli.render.plans import render_plan
    from provisioning.interfaces.schema.results import shape_plan
    from provisioning.reconciler.explain.replay import find_run
    from provisioning.reconciler.operations.undo import prepare_undo
    from provisioning.reconciler.planning.plan_result import RunRequest

    workspace = session.open_workspace()
    head = workspace.read_commit()
    infra, run = choose_infra(workspace.choose_infras(head, None, recorded=True), names)
    log = workspace.build_log(infra)
    begun = find_run(workspace.repository, log, run)
    previous = log.read_at(begun.before).run
    undo_plan = prepare_undo(
        infra,
        begun,
        previous,
        then=workspace.build_checkout(begun.begin.commit),
        old=workspace.build_checkout(previous.commit if previous else begun.begin.commit),
        now=workspace.build_checkout(head),
    )
    request = RunRequest(commit=undo_plan.commit, reason="undo")
    plan_result = workspace.build_reconciler(infra, undo_plan.commit).look(request)
    if output == "text":
        click.echo(render_plan(plan_result.plan, plan_result.violations))
        click.echo(f"\nbrings back, as at {undo_plan.before[:10]}: {', '.join(undo_plan.paths)}")
        if undo_plan.shared:
            click.echo(f"other infras read these too: {', '.join(undo_plan.shared)}")
    url = None
    if pr:
        url = _propose(workspace, infra, begun.begin.run, undo_plan, yes=yes)
    else:
        confirm(f"Commit this to {workspace.branch}?", yes=yes, command="undo")
        workspace.advance(undo_plan.commit)
    if output == "text":
        where = f"{workspace.branch} is at {undo_plan.commit[:10]}; `provisioning apply {infra}`"
        click.echo(url or where)
    else:
        shape = {
            "infra": infra,
            "run": begun.begin.run,
            "commit": undo_plan.commit,
            "before": undo_plan.before,
            "paths": list(undo_plan.paths),
            "url": url,
            "plan": shape_plan(plan_result.plan),
        }
        print_shape(shape, output)
    return 0


def _propose(
    workspace: Workspace, infra: str, run: RunId, undo_plan: UndoPlan, *, yes: bool
) -> str:
    """Open the pull request that undoes *run*, if none does; return its address."""
    from provisioning.bootstrap.reviews import build_proposer
    from provisioning.interfaces.cli.confirmation import confirm

    proposer = build_proposer(workspace)
    pull = proposer.find(undo_plan.trailer)
    if pull is None:
        confirm(f"Open a pull request to {workspace.branch}?", yes=yes, command="undo")
        name = f"undo-{infra}-{run.partition('-')[0]}"
        pull = proposer.propose(name, undo_plan.commit, undo_plan.message)
    return pull.url

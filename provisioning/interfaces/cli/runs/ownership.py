"""`forget`, `import` and `adopt`: what is ours, and what is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from provisioning.interfaces.cli.session import Session, output_option, pass_session, print_shape

if TYPE_CHECKING:
    from provisioning.core.model.ids import ResourceId
    from provisioning.core.model.records import Run
    from provisioning.core.plan.plan import Plan

yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
reason_option = click.option("--reason", default=None, help="Why, for the state log.")


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="[INFRA] ID")
@yes_option
@reason_option
@output_option
@pass_session
def forget(
    session: Session, names: tuple[str, ...], reason: str | None, output: str, *, yes: bool
) -> int:
    """No longer manage the resource ID, and leave it where it is.

    Git must not ask for it any more, or the next run would take it back.
    """
    from provisioning.gitstore.statelog.applications import read_record
    from provisioning.interfaces.cli.confirmation import confirm
    from provisioning.interfaces.cli.infra_arguments import find_infra, split_names
    from provisioning.reconciler.operations.forget import forget as forget_resource
    from provisioning.reconciler.operations.forget import plan_forget

    given, ids = split_names(names)
    if len(ids) != 1:
        raise click.UsageError("give one id, as in File/motd")
    workspace = session.open_workspace()
    commit = workspace.read_commit()
    infras = workspace.choose_infras(commit, given, recorded=True)

    def has(name: str, wanted: ResourceId) -> bool:
        head = workspace.build_log(name).read_local().head
        return bool(head and read_record(workspace.repository, head, wanted))

    infra, resource = find_infra(infras, given, ids[0], has)
    checkout = workspace.build_checkout(commit)
    desired = checkout.read_resources(infra).get(resource)
    reconciler = workspace.build_reconciler(infra, commit)
    planned = plan_forget(reconciler, commit, resource, desired)
    _show(planned.plan, output)
    confirm(f"Forget this in {infra}?", yes=yes, command="forget")
    run = forget_resource(reconciler, planned, reason or "forget")
    return _report(planned.plan, run, output)


@click.command(name="import")
@click.argument("names", nargs=-1, required=True, metavar="[INFRA] KIND/NAME PLACE")
@yes_option
@reason_option
@output_option
@pass_session
def import_(
    session: Session, names: tuple[str, ...], reason: str | None, output: str, *, yes: bool
) -> int:
    """Take over what exists at PLACE as the resource KIND/NAME, which a manifest describes.

    PLACE is a path for what is found by its path, else the provider's own id. The plan shows
    what would be changed; nothing that anybody else owns is taken.
    """
    from provisioning.core.model.errors import InvalidArgument
    from provisioning.interfaces.cli.confirmation import confirm
    from provisioning.interfaces.cli.infra_arguments import find_infra
    from provisioning.reconciler.operations.import_resource import plan_import
    from provisioning.reconciler.planning.plan_result import RunRequest

    given, rest = (names[0], names[1:]) if "/" not in names[0] else (None, names)
    if len(rest) != 2:  # noqa: PLR2004  an id and a place
        raise click.UsageError("give an id and a place, as in File/motd etc/motd")
    workspace = session.open_workspace()
    commit = workspace.read_commit()
    infras = workspace.choose_infras(commit, given)
    checkout = workspace.build_checkout(commit)
    infra, resource = find_infra(
        infras, given, rest[0], lambda name, wanted: wanted in checkout.read_resources(name)
    )
    reconciler = workspace.build_reconciler(infra, commit)
    request = RunRequest(commit=commit, reason=reason or "import")
    plan_result = plan_import(reconciler, request, resource, rest[1])
    _show(plan_result.plan, output)
    if plan_result.violations:
        raise InvalidArgument(plan_result.violations[0].reason, hint=plan_result.violations[0].hint)
    confirm(f"Take this over into {infra}?", yes=yes, command="import")
    report = reconciler.act(plan_result, request)
    return _report(plan_result.plan, report.run, output)


@click.command()
@click.argument("infra", required=False)
@click.option("--all", "everything", is_flag=True, help="Also what Git does not ask for.")
@yes_option
@reason_option
@output_option
@pass_session
def adopt(
    session: Session,
    infra: str | None,
    reason: str | None,
    output: str,
    *,
    everything: bool,
    yes: bool,
) -> int:
    """Rebuild a lost state log of INFRA (of all by default) from the ownership marks.

    It records what bears our mark and is not recorded, and changes nothing in the world.
    """
    from provisioning.interfaces.cli.confirmation import confirm
    from provisioning.reconciler.operations.adopt import adopt as adopt_all
    from provisioning.reconciler.operations.adopt import plan_adopt

    workspace = session.open_workspace()
    commit = workspace.read_commit()
    planned = []
    for name in workspace.choose_infras(commit, infra, recorded=True):
        reconciler = workspace.build_reconciler(name, commit)
        planned.append((reconciler, plan_adopt(reconciler, commit, everything=everything)))
    if output == "text":
        for _, adopt_plan in planned:
            _show(adopt_plan.plan, output)
    todo = [item for item in planned if item[1].plan.changes]
    if todo:
        confirm("Record this?", yes=yes, command="adopt")
    shapes = []
    for reconciler, adopt_plan in todo:
        run = adopt_all(reconciler, adopt_plan, reason or "adopt")
        shapes.append(_shape(adopt_plan.plan, run))
        if output == "text":
            _report(adopt_plan.plan, run, output)
    if output != "text":
        print_shape(shapes[0] if infra and shapes else shapes, output)
    return 0


def _show(plan: Plan, output: str) -> None:
    from provisioning.interfaces.cli.render.plans import render_plan

    if output == "text":
        click.echo(render_plan(plan))


def _report(plan: Plan, run: Run | None, output: str) -> int:
    from provisioning.interfaces.cli.render.plans import render_run

    if output != "text":
        print_shape(_shape(plan, run), output)
    elif run:
        click.echo("\n" + render_run(run))
    return 0 if run is None or run.result == "done" else 1


def _shape(plan: Plan, run: Run | None) -> dict[str, Any]:
    from provisioning.interfaces.schema.results import shape_result

    return shape_result(plan, "applied" if run and run.result == "done" else "failed", run)

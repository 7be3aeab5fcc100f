"""`forget`, `import` and `adopt`: which resources an infra owns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from provisioning.application.context import Context, InfraRequest, Planned
from provisioning.application.selection import find_resource, select_infras
from provisioning.core.model.errors import InvalidArgument

if TYPE_CHECKING:
    from provisioning.core.model.records import Run
    from provisioning.core.plan.plan import Plan


class OwnershipResult(msgspec.Struct, frozen=True, kw_only=True):
    """A plan that changed who owns what, and the run that recorded it, if one was needed."""

    plan: Plan
    run: Run | None

    @property
    def is_done(self) -> bool:
        """True if nothing failed."""
        return self.run is None or self.run.result == "done"


class ForgetRequest(InfraRequest[OwnershipResult], frozen=True, kw_only=True):
    """Stop managing the resource *id* without deleting it."""

    id: str
    reason: str = "forget"


class ImportResourceRequest(InfraRequest[OwnershipResult], frozen=True, kw_only=True):
    """Take over what exists at *place* as the resource *id*, which a manifest describes."""

    id: str
    place: str
    reason: str = "import"


class AdoptRequest(InfraRequest[tuple[OwnershipResult, ...]], frozen=True, kw_only=True):
    """Rebuild lost state logs from the ownership marks.

    With *everything*, also what Git does not ask for.
    """

    everything: bool = False
    reason: str = "adopt"


def forget(request: ForgetRequest, context: Context) -> OwnershipResult:
    """Show the plan, ask, and record that the resource is no longer managed."""
    from provisioning.reconciler.operations.state_only_run import plan_forget, record_state_only

    workspace = context.open_workspace()
    selection = select_infras(workspace, request.infra)
    infra, resource = find_resource(
        selection.infras, request.infra, request.id, workspace.logs.has_record
    )
    desired = workspace.build_checkout(selection.commit).read_resources(infra).get(resource)
    reconciler = workspace.build_reconciler(infra, selection.commit)
    planned = plan_forget(reconciler, selection.commit, resource, desired)
    context.notify(Planned(planned.plan))
    context.confirm(f"Forget this in {infra}?")
    run = record_state_only(reconciler, planned, request.reason)
    return OwnershipResult(plan=planned.plan, run=run)


def import_resource(request: ImportResourceRequest, context: Context) -> OwnershipResult:
    """Show the plan, ask, and take over what nobody else owns."""
    from provisioning.reconciler.operations.import_resource import plan_import
    from provisioning.reconciler.planning.plan_result import RunRequest

    workspace = context.open_workspace()
    selection = select_infras(workspace, request.infra, recorded=False)
    checkout = workspace.build_checkout(selection.commit)
    infra, resource = find_resource(
        selection.infras,
        request.infra,
        request.id,
        lambda name, wanted: wanted in checkout.read_resources(name),
    )
    reconciler = workspace.build_reconciler(infra, selection.commit)
    run_request = RunRequest(commit=selection.commit, reason=request.reason)
    plan_result = plan_import(reconciler, run_request, resource, request.place)
    context.notify(Planned(plan_result.plan))
    for violation in plan_result.violations:
        raise InvalidArgument(violation.reason, hint=violation.hint)
    context.confirm(f"Take this over into {infra}?")
    report = reconciler.apply(plan_result, run_request)
    return OwnershipResult(plan=plan_result.plan, run=report.run)


def adopt(request: AdoptRequest, context: Context) -> tuple[OwnershipResult, ...]:
    """Show the plans, ask, and record the marked resources; change nothing in the world."""
    from provisioning.reconciler.operations.adopt import plan_adopt
    from provisioning.reconciler.operations.state_only_run import record_state_only

    workspace = context.open_workspace()
    selection = select_infras(workspace, request.infra)
    planned = [
        (reconciler, plan_adopt(reconciler, selection.commit, everything=request.everything))
        for reconciler in selection.build_reconcilers()
    ]
    for _, adopt_plan in planned:
        context.notify(Planned(adopt_plan.plan))
    todo = [item for item in planned if item[1].plan.changes]
    if todo:
        context.confirm("Record this?")
    return tuple(
        OwnershipResult(
            plan=adopt_plan.plan, run=record_state_only(reconciler, adopt_plan, request.reason)
        )
        for reconciler, adopt_plan in todo
    )

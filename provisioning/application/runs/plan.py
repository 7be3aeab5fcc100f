"""`plan`: the changes that would take each infra to its desired state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from provisioning.application.context import Context, InfraRequest
from provisioning.application.selection import select_infras
from provisioning.reconciler.planning.plan_result import RunRequest

if TYPE_CHECKING:
    from provisioning.reconciler.planning.plan_result import PlanResult


class PlanResults(msgspec.Struct, frozen=True, kw_only=True):
    """The plan of each infra, in the order in which they would be applied.

    `request` makes the same plans again; `notes` are changes that are not in them.
    """

    results: tuple[PlanResult, ...]
    request: RunRequest
    notes: tuple[str, ...] = ()


class PlanRequest(InfraRequest[PlanResults], frozen=True, kw_only=True):
    """Plan *infra*, or all; `with_notes` adds notes about changes that are not committed."""

    targets: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    with_notes: bool = False


def plan(request: PlanRequest, context: Context) -> PlanResults:
    """Plan without a lock and without changing anything."""
    workspace = context.open_workspace()
    selection = select_infras(workspace, request.infra, recorded=False).sort()
    run_request = RunRequest(
        commit=selection.commit,
        reason="plan",
        targets=request.targets,
        excludes=request.excludes,
        allow=request.allow,
    )
    return PlanResults(
        results=tuple(reconciler.plan(run_request) for reconciler in selection.build_reconcilers()),
        request=run_request,
        notes=workspace.commits.describe_uncommitted() if request.with_notes else (),
    )

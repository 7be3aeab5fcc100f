"""`suspend` and `resume`: runs leave an infra, or a resource, alone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from provisioning.application.context import Context, InfraRequest
from provisioning.application.selection import find_resource, select_infras
from provisioning.core.model.errors import InvalidArgument
from provisioning.core.model.ids import ResourceId
from provisioning.core.model.records import Suspension
from provisioning.reconciler.execution.lease import render_time
from provisioning.reconciler.operations.suspend import resume as resume_log
from provisioning.reconciler.operations.suspend import suspend as suspend_log

if TYPE_CHECKING:
    from provisioning.application.workspace.workspace import Workspace


class Suspended(msgspec.Struct, frozen=True, kw_only=True):
    """The infras, or the one resource, that are suspended or resumed; until when, if known."""

    infras: tuple[str, ...]
    resource: ResourceId | None = None
    until: str | None = None


class SuspendRequest(InfraRequest[Suspended], frozen=True, kw_only=True):
    """Suspend *infra*, or all, or the resource *id*, for so many *seconds*, or without end."""

    id: str | None = None
    reason: str = ""
    seconds: float | None = None


class ResumeRequest(InfraRequest[Suspended], frozen=True, kw_only=True):
    """End the suspension of *infra*, of the resource *id*, or of every infra that is suspended."""

    id: str | None = None


def suspend(request: SuspendRequest, context: Context) -> Suspended:
    """Record the suspension: a change is blocked until it ends; plans go on."""
    workspace = context.open_workspace()
    now = time.time()
    suspension = Suspension(
        by=context.caller.user,
        since=render_time(now),
        reason=" ".join(request.reason.split()),
        until=render_time(now + request.seconds) if request.seconds else None,
    )
    infras, resource = _choose(workspace, request.infra, request.id)
    logs = workspace.logs
    for infra in infras:
        suspend_log(logs.build(infra), resource, suspension, judge=logs.build_judge(infra))
    return Suspended(infras=infras, resource=resource, until=suspension.until)


def resume(request: ResumeRequest, context: Context) -> Suspended:
    """Record the end of the suspension."""
    workspace = context.open_workspace()
    infras, resource = _choose(workspace, request.infra, request.id)
    logs = [workspace.logs.build(infra) for infra in infras]
    if request.infra is None and request.id is None:
        logs = [log for log in logs if log.read_local().suspended.infra]
    for log in logs:
        judge = workspace.logs.build_judge(log.infra)
        resume_log(log, resource, context.caller.user, judge=judge)
    return Suspended(infras=tuple(log.infra for log in logs), resource=resource)


def _choose(
    workspace: Workspace, infra: str | None, name: str | None
) -> tuple[tuple[str, ...], ResourceId | None]:
    """Return the infras that are meant, or the one with the resource that is meant."""
    selection = select_infras(workspace, infra)
    if name is None:
        return selection.infras, None
    checkout = workspace.build_checkout(selection.commit)

    def has(infra: str, wanted: ResourceId) -> bool:
        logs = workspace.logs
        is_suspended = wanted in logs.build(infra).read_local().suspended.resources
        is_recorded = is_suspended or logs.has_record(infra, wanted)
        return is_recorded or wanted in checkout.read_resources(infra)

    found, resource = find_resource(selection.infras, infra, name, has)
    if not has(found, resource):
        raise InvalidArgument(
            f"{found} has no resource {resource}", hint=f"`provisioning tree {found}` shows them"
        )
    return (found,), resource

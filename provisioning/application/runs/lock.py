"""`lock`: list, explain, hold, steal and release the locks of infras."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from provisioning.application.context import Context, InfraRequest, UseCaseRequest
from provisioning.application.selection import select_infras

if TYPE_CHECKING:
    from provisioning.application.workspace.workspace import Workspace
    from provisioning.core.model.records import Lock
    from provisioning.core.statelog.lock_expiry import LockStatus
    from provisioning.core.statelog.transitions import LogView
    from provisioning.gitstore.statelog.git_statelog import GitStateLog


class InfraLock(msgspec.Struct, frozen=True, kw_only=True):
    """The state log of an infra as it was read, and the status of its lock, if there is one."""

    infra: str
    view: LogView
    status: LockStatus | None = None

    @property
    def lock(self) -> Lock | None:
        """The lock, if there is one."""
        return self.view.lock


class ListLocksRequest(InfraRequest[tuple[InfraLock, ...]], frozen=True, kw_only=True):
    """List the lock of *infra*, or of all."""


class HoldRequest(UseCaseRequest[InfraLock], frozen=True, kw_only=True):
    """Hold *infra*, for so many *seconds*, or until it is released."""

    infra: str
    reason: str
    seconds: float | None = None


class StealRequest(HoldRequest, frozen=True, kw_only=True):
    """Hold *infra*, and take its lock from whoever has it."""


class ReleaseRequest(UseCaseRequest[None], frozen=True, kw_only=True):
    """Release the hold of *infra*."""

    infra: str


def list_locks(request: ListLocksRequest, context: Context) -> tuple[InfraLock, ...]:
    """Read each lock, and judge it."""
    workspace = context.open_workspace()
    views = select_infras(workspace, request.infra).read_views()
    return tuple(
        InfraLock(
            infra=infra,
            view=view,
            status=workspace.logs.judge(infra, view.lock) if view.lock else None,
        )
        for infra, view in views.items()
    )


def hold(request: HoldRequest, context: Context) -> InfraLock:
    """Write the hold: nothing is applied until it is released."""
    return _take(request, context, steals=False)


def steal(request: StealRequest, context: Context) -> InfraLock:
    """Write the hold; what the former holder still writes is refused."""
    return _take(request, context, steals=True)


def release(request: ReleaseRequest, context: Context) -> None:
    """Write the release."""
    from provisioning.reconciler.operations.lock import release_lock

    release_lock(_build_log(request.infra, context.open_workspace()), context.caller.user)


def _take(request: HoldRequest, context: Context, *, steals: bool) -> InfraLock:
    from provisioning.reconciler.operations.lock import hold_lock

    workspace, infra = context.open_workspace(), request.infra
    view = hold_lock(
        _build_log(infra, workspace),
        workspace.logs.build_hold(request.reason, request.seconds),
        judge=workspace.logs.build_judge(infra),
        steals=steals,
    )
    return InfraLock(infra=infra, view=view)


def _build_log(infra: str, workspace: Workspace) -> GitStateLog:
    """Join the state log of *infra*, whose lock is written as the newest commit says."""
    commit = select_infras(workspace, infra).commit
    return workspace.logs.build(infra, workspace.commits.load_layers(commit, infra))

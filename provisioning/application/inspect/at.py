"""`at`: the desired and the recorded state of a moment in the past."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from provisioning.application.context import Context, InfraRequest
from provisioning.application.selection import select_infras
from provisioning.core.model.errors import InvalidArgument
from provisioning.core.model.ids import CommitId, ResourceId
from provisioning.gitstore.statelog.points_in_time import Moment, find_head, find_moment

if TYPE_CHECKING:
    from provisioning.application.workspace.workspace import Workspace
    from provisioning.core.model.records import Record
    from provisioning.core.status.conditions import InfraStatus
    from provisioning.gitstore.statelog.git_statelog import GitStateLog
    from provisioning.reconciler.explain.checkout import Checkout


class PastStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The status of each infra at *moment*."""

    moment: Moment
    infras: tuple[InfraStatus, ...]


class PastRecords(msgspec.Struct, frozen=True, kw_only=True):
    """The recorded and the desired resources of one infra."""

    infra: str
    records: tuple[Record, ...]
    recorded: frozenset[ResourceId]
    desired: frozenset[ResourceId]


class PastResources(msgspec.Struct, frozen=True, kw_only=True):
    """The resources of each infra at *moment*."""

    moment: Moment
    infras: tuple[PastRecords, ...]


class StatusAtRequest(InfraRequest[PastStatus], frozen=True, kw_only=True):
    """Read the status of *infra*, or of all, at *moment*: a commit, a time, or '3h ago'."""

    moment: str


class GetAtRequest(InfraRequest[PastResources], frozen=True, kw_only=True):
    """List the resources of *infra*, or of all, at *moment*; only those called *ids*, if any."""

    moment: str
    ids: tuple[str, ...] = ()


def status_at(request: StatusAtRequest, context: Context) -> PastStatus:
    """Compute the conditions from the state log as it stood then."""
    from provisioning.core.statelog.lock_expiry import LockState, LockStatus
    from provisioning.core.status.conditions import compute_status

    workspace = context.open_workspace()
    moment, checkout = _find(workspace, request.moment)
    found = []
    for log, head in _read_logs(workspace, checkout, moment, request.infra):
        view = log.read_at(head)
        held = LockStatus(LockState.HELD, None) if view.lock else None
        records = log.read_records(view).values()
        found.append(compute_status(log.infra, checkout.commit, view, records, held))
    return PastStatus(moment=moment, infras=tuple(found))


def get_at(request: GetAtRequest, context: Context) -> PastResources:
    """Read the records of the state log, and the manifests, as they stood then.

    Raises:
        InvalidArgument: If nothing was recorded by one of the ids.
    """
    workspace, ids = context.open_workspace(), request.ids
    moment, checkout = _find(workspace, request.moment)
    infras, found = checkout.list_infras(), []
    for log, head in _read_logs(workspace, checkout, moment, request.infra):
        records = log.read_records(log.read_at(head))
        is_desired = log.infra in infras
        found.append(
            PastRecords(
                infra=log.infra,
                records=tuple(item for item in records.values() if not ids or item.id in ids),
                recorded=frozenset(records),
                desired=frozenset(checkout.read_resources(log.infra) if is_desired else ()),
            )
        )
    if ids and not any(item.records for item in found):
        raise InvalidArgument(
            f"nothing of that name was recorded then: {', '.join(ids)}",
            hint=f"`provisioning at {request.moment} get` lists what was",
        )
    return PastResources(moment=moment, infras=tuple(found))


def _find(workspace: Workspace, text: str) -> tuple[Moment, Checkout]:
    workspace.commits.fetch()
    branch = workspace.settings.branch
    moment = find_moment(workspace.commits.repository, branch, text, time.time)
    return moment, workspace.build_checkout(moment.commit)


def _read_logs(
    workspace: Workspace, checkout: Checkout, moment: Moment, infra: str | None
) -> Iterator[tuple[GitStateLog, CommitId | None]]:
    """Yield the state log of each infra, and its head at *moment*."""
    now, then = select_infras(workspace, None).infras, checkout.list_infras()
    is_found = False
    for name in sorted({*now, *then}):
        log = workspace.logs.build(name)
        head = find_head(workspace.commits.repository, log.read_local().head, moment)
        if infra in {None, name} and (head or name in then):
            is_found = True
            yield log, head
    if infra and not is_found:
        raise InvalidArgument(
            f"there was no infra {infra!r} at commit {moment.commit[:10]}",
            hint=f"there were: {', '.join(then) or 'none'}",
        )

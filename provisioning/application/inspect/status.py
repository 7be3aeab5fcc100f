"""`status`, `get` and `diff`: the state of each infra."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from provisioning.application.context import Context, InfraRequest
from provisioning.application.selection import select_infras
from provisioning.core.model.errors import InvalidArgument

if TYPE_CHECKING:
    from provisioning.core.model.records import Record
    from provisioning.core.status.conditions import InfraStatus
    from provisioning.reconciler.explain.drift import DriftReport


class InfraRecords(msgspec.Struct, frozen=True, kw_only=True):
    """Recorded resources of one infra."""

    infra: str
    records: tuple[Record, ...]


class LiveDrift(msgspec.Struct, frozen=True, kw_only=True):
    """The difference between live and recorded resources of one infra."""

    infra: str
    report: DriftReport


class StatusRequest(InfraRequest[tuple["InfraStatus", ...]], frozen=True, kw_only=True):
    """Read the status of *infra*, or of all."""


class GetRequest(InfraRequest[tuple[InfraRecords, ...]], frozen=True, kw_only=True):
    """List the recorded resources of *infra*, or of all; only those called *ids*, if any are."""

    ids: tuple[str, ...] = ()


class DiffRequest(InfraRequest[tuple[LiveDrift, ...]], frozen=True, kw_only=True):
    """Compare what is live in *infra*, or in all, with what was recorded."""


def status(request: StatusRequest, context: Context) -> tuple[InfraStatus, ...]:
    """Compute the conditions of each infra from its state log alone."""
    from provisioning.core.policy.conflicts import REACH, find_conflicts
    from provisioning.core.status.conditions import compute_status
    from provisioning.reconciler.execution.lease import render_time

    workspace = context.open_workspace()
    selection = select_infras(workspace, request.infra)
    now, found = render_time(time.time()), []
    for log in selection.build_logs():
        view = log.read()
        lock_status = workspace.logs.judge(log.infra, view.lock) if view.lock else None
        records = log.read_records(view).values()
        conflicts = find_conflicts(log.read_history(REACH), view.suspended)
        found.append(
            compute_status(log.infra, selection.commit, view, records, lock_status, now, conflicts)
        )
    return tuple(found)


def get(request: GetRequest, context: Context) -> tuple[InfraRecords, ...]:
    """Read the records.

    Raises:
        InvalidArgument: If none is called as one of the ids.
    """
    ids, found = request.ids, []
    for log in select_infras(context.open_workspace(), request.infra).build_logs():
        records = log.read_records(log.read()).values()
        listed = tuple(record for record in records if not ids or record.id in ids)
        found.append(InfraRecords(infra=log.infra, records=listed))
    if ids and not any(item.records for item in found):
        raise InvalidArgument(
            f"no recorded resource is called {', '.join(ids)}", hint="`provisioning get` lists them"
        )
    return tuple(found)


def diff(request: DiffRequest, context: Context) -> tuple[LiveDrift, ...]:
    """Observe everything recorded, and compare; desired state plays no part."""
    from provisioning.reconciler.explain.drift import read_drift

    selection = select_infras(context.open_workspace(), request.infra)
    return tuple(
        LiveDrift(infra=reconciler.context.infra, report=read_drift(reconciler.context))
        for reconciler in selection.build_reconcilers()
    )

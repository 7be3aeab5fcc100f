"""`gc`: the old entries of a state log become a snapshot."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from provisioning.application.context import CompactionPlanned, Context, InfraRequest, LogCompacted
from provisioning.application.selection import select_infras
from provisioning.core.model.durations import DAY
from provisioning.reconciler.operations.compact import compact as compact_log
from provisioning.reconciler.operations.compact import plan_compaction

if TYPE_CHECKING:
    from provisioning.core.model.records import LogSnapshot


class CompactedLog(msgspec.Struct, frozen=True, kw_only=True):
    """The snapshot that a state log now begins with, and the file that has all of it."""

    infra: str
    snapshot: LogSnapshot
    archive: str | None


class CompactRequest(InfraRequest[tuple[CompactedLog, ...]], frozen=True, kw_only=True):
    """Compact the state log of *infra*, or of all.

    Entries older than *seconds* (`log.retention` by default) become a snapshot; the folder
    *archive* gets a Git bundle of each whole log.
    """

    seconds: float | None = None
    archive: Path | None = None


def compact(request: CompactRequest, context: Context) -> tuple[CompactedLog, ...]:
    """Show what becomes a snapshot, ask, and compact."""
    workspace = context.open_workspace()
    now, todo = time.time(), []
    age = request.seconds
    if age is None:
        age = float(workspace.settings.layers.get("log.retention").value) * DAY
    for log in select_infras(workspace, request.infra).build_logs():
        judge = workspace.logs.build_judge(log.infra)
        planned = plan_compaction(
            log, before=now - age, now=now, by=context.caller.user, judge=judge
        )
        snapshot, kept = (planned.snapshot, planned.kept) if planned else (None, 0)
        context.notify(CompactionPlanned(log.infra, snapshot, kept))
        todo += [planned] if planned else []
    if todo:
        context.confirm("Compact this?")
    for planned in todo:
        compact_log(planned, request.archive)
        context.notify(LogCompacted(planned.log.infra))
    return tuple(
        CompactedLog(
            infra=planned.log.infra,
            snapshot=planned.snapshot,
            archive=str(request.archive / planned.archive) if request.archive else None,
        )
        for planned in todo
    )

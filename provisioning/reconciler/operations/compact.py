"""Compacts a state log: entries older than a policy become one snapshot, signed off."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from provisioning.core.model.errors import Blocked, HeadMoved, StateLogDamaged
from provisioning.core.model.records import Lock, LogSnapshot
from provisioning.core.statelog.compaction import Survey
from provisioning.core.statelog.fsck import compute_findings
from provisioning.core.statelog.transitions import LogView
from provisioning.reconciler.execution.lease import render_time
from provisioning.reconciler.operations.lock import check_view_unlocked

if TYPE_CHECKING:
    from pathlib import Path

    from provisioning.core.statelog.lock_expiry import LockStatus
    from provisioning.gitstore.statelog.git_statelog import GitStateLog


class Compaction(msgspec.Struct, frozen=True, kw_only=True):
    """The planned compaction of a state log at *view*."""

    log: GitStateLog
    view: LogView
    survey: Survey
    snapshot: LogSnapshot

    @property
    def kept(self) -> int:
        """The number of entries that stay."""
        return len(self.survey.kept)

    @property
    def archive(self) -> str:
        """The name of the archive of the whole log."""
        snapshot = self.snapshot
        return f"{self.log.infra}-{snapshot.until[:10]}-{snapshot.of[:10]}.bundle"


def plan_compaction(
    log: GitStateLog, *, before: float, now: float, by: str, judge: Callable[[Lock], LockStatus]
) -> Compaction | None:
    """Plan the compaction of the entries of *log* of the time *before* and older.

    None means that nothing is old enough. *by* signs the snapshot off.

    Raises:
        LockHeld: If somebody holds the lock.
        Blocked: If a run was cut off.
        StateLogDamaged: If the log is damaged: a snapshot would hide that.
    """
    view, survey = log.read(), Survey(before)
    check_view_unlocked(log.infra, view, judge)
    if view.begin or view.lock:
        raise Blocked(
            f"a run or a hold of {log.infra} has begun and not ended",
            hint=f"`provisioning reconcile {log.infra}` ends it",
        )
    for finding in compute_findings(survey.watch(log.read_history())):
        raise StateLogDamaged(
            f"{log.infra}: {finding.commit[:10]}: {finding.message}",
            hint=f"`provisioning fsck {log.infra}` lists all that is wrong with it",
        )
    if survey.cut is None:
        return None
    snapshot = survey.build_snapshot(
        until=render_time(survey.until), made_at=render_time(now), by=by
    )
    return Compaction(log=log, view=view, survey=survey, snapshot=snapshot)


def compact(compaction: Compaction, archive: Path | None) -> None:
    """Replace the log by the compacted one; write the old one to the folder *archive* first.

    Raises:
        HeadMoved: If somebody wrote to the log meanwhile; nothing has changed.
    """
    log = compaction.log
    try:
        if archive is not None:
            log.archive(compaction.view, archive / compaction.archive)
        log.compact(compaction.view, compaction.survey, compaction.snapshot)
    except HeadMoved as exc:
        raise HeadMoved(
            f"somebody wrote to the log of {log.infra} meanwhile; it is as they left it",
            hint=f"`provisioning gc {log.infra}` again",
        ) from exc

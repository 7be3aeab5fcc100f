"""Field manager conflicts: fields that runs correct again and again, and something else changes.

A round is a run that corrected the drift of a field. If the last three changes of a resource are
rounds of the same field within some days, two managers are in conflict over the field: the conflict
is reported, and the field is left as it is. Rounds before the resource was resumed do not count.
Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from provisioning.core.model.ids import ResourceId, get_number
from provisioning.core.model.records import Change, Run, Suspensions
from provisioning.core.plan.diff import Cause
from provisioning.core.plan.plan import BlockedResource, Plan, PlannedChange
from provisioning.core.plan.stale_records import has_other_terms
from provisioning.core.policy.blocking import block_changes
from provisioning.core.statelog.fsck import LogCommit
from provisioning.core.statelog.transitions import RUN

ROUNDS = 3
"""The rounds that make a conflict."""

CLOSE = timedelta(days=7)
"""The time within which they lie: a change once a year is no conflict."""

REACH = 60
"""The entries of the state log that are read, newest first."""


class FieldConflict(msgspec.Struct, frozen=True, kw_only=True):
    """The fields in conflict, and the numbers of the runs that corrected them."""

    fields: tuple[str, ...]
    runs: tuple[str, ...]

    def __str__(self) -> str:
        *others, last = self.runs
        fields = " and ".join(self.fields)
        return (
            f"runs {', '.join(others)} and {last} put {fields} back, and it was changed each time"
        )


@dataclass(slots=True)
class _Streak:
    """The rounds of one resource, newest first; it is over when a change is no round."""

    fields: frozenset[str] = frozenset()
    runs: list[Run] = field(default_factory=list)
    is_over: bool = False

    def take(self, run: Run, change: Change) -> None:
        common = frozenset(change.healed) & self.fields if self.runs else frozenset(change.healed)
        if not common:
            self.is_over = True
            return
        self.fields = common
        self.runs.append(run)
        self.is_over = len(self.runs) == ROUNDS

    @property
    def is_conflict(self) -> bool:
        if len(self.runs) < ROUNDS:
            return False
        begin, end = self.runs[-1].started_at, self.runs[0].finished_at
        return datetime.fromisoformat(end) - datetime.fromisoformat(begin) <= CLOSE


def find_conflicts(
    history: Iterable[LogCommit],
    suspensions: Suspensions,
    names: Collection[ResourceId] | None = None,
) -> dict[ResourceId, FieldConflict]:
    """Return the conflicts, by resource.

    Args:
        history: The state log's entries, newest first; read only as far as is needed.
        suspensions: Holds when a resource was resumed.
        names: The resources to ask for; None for all.
    """
    streaks: dict[ResourceId, _Streak] = {name: _Streak() for name in names or ()}
    for run in _list_runs(history):
        if names is not None and all(item.is_over for item in streaks.values()):
            break
        for change in run.changes:
            if names is not None and change.id not in streaks:
                continue
            streak = streaks.setdefault(change.id, _Streak())
            if streak.is_over:
                continue
            if get_number(run.run) <= suspensions.resumed.get(change.id, 0):
                streak.is_over = True
                continue
            streak.take(run, change)
    return {
        name: FieldConflict(
            fields=tuple(sorted(item.fields)),
            runs=tuple(run.number for run in reversed(item.runs)),
        )
        for name, item in sorted(streaks.items())
        if item.is_conflict
    }


def _list_runs(history: Iterable[LogCommit]) -> Iterable[Run]:
    views = (entry.view for entry in history if RUN in entry.changed)
    return (view.run for view in views if view.run is not None)


def block_conflicts(
    plan: Plan,
    history: Iterable[LogCommit],
    suspensions: Suspensions,
    corrects: Collection[ResourceId] = (),
) -> Plan:
    """Return *plan* with the correction of fields in conflict blocked, and what waits for it.

    A change that Git asks for goes on, even if it is of the lifecycle or the order alone, and so
    does a resource of *corrects*.
    """
    healing = {
        change.id: change
        for change in plan.changes
        if list_healed(change) and not _asks_for_terms(change) and change.id not in corrects
    }
    if not healing:
        return plan
    conflicts = find_conflicts(history, suspensions, healing.keys())
    held = {
        name: BlockedResource(
            id=name,
            reason=f"something else changes it, too: {conflict}",
            source=healing[name].source,
            hint="find out what does; "
            f"`ignoreFields: [{_name_fields(conflict)}]` leaves it to that, "
            f"`provisioning resume {plan.infra} {name}` lets runs put it back again",
        )
        for name, conflict in conflicts.items()
        if not set(conflict.fields).isdisjoint(list_healed(healing[name]))
    }
    return block_changes(plan, held, "it waits for a resource with a field manager conflict")


def _asks_for_terms(change: PlannedChange) -> bool:
    """Tell whether the record lacks terms that count once the resource is gone from Git."""
    if change.record is None or change.resource is None:
        return False
    return has_other_terms(change.record, change.resource)


def _name_fields(conflict: FieldConflict) -> str:
    return ", ".join(dict.fromkeys(item.partition("[")[0] for item in conflict.fields))


def list_healed(change: PlannedChange) -> tuple[str, ...]:
    """Return the fields whose drift *change* puts back, and does nothing else."""
    if change.live is None or not change.heals:
        return ()
    return tuple(item.path for item in change.fields if item.cause is Cause.DRIFT)

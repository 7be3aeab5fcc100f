"""How operations ended, and what that means for the changes and the records. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from provisioning.core.model.errors import Fenced, ProvisioningError
from provisioning.core.model.ids import ResourceId
from provisioning.core.model.records import Action, Change, Outcome, Record
from provisioning.core.plan.operations import Operation, Step
from provisioning.core.plan.plan import PlannedChange
from provisioning.core.policy.conflicts import list_healed

BAD = frozenset({Outcome.FAILED, Outcome.UNCERTAIN, Outcome.SKIPPED})
"""The outcomes after which nothing that depends on it may go on."""


class OperationOutcome(msgspec.Struct, frozen=True):
    """How one operation ended.

    `record` is what the state log must keep of it, also when it failed; None for nothing.
    """

    outcome: Outcome
    error: ProvisioningError | None = None
    record: Record | None = None
    reason: str = ""
    seconds: float = 0.0

    @property
    def is_good(self) -> bool:
        """Whether what depends on it may go on."""
        return self.outcome not in BAD


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """What a run did: a change for each planned one, and the records to write (None: gone).

    `cleaned` are the leftovers that are gone, by the position in `RecordedState.unfinished`.
    """

    changes: tuple[Change, ...]
    records: Mapping[ResourceId, Record | None]
    cleaned: frozenset[int] = frozenset()
    fenced: Fenced | None = None
    interrupted: bool = False

    @property
    def has_failed(self) -> bool:
        """Whether any change did not come about."""
        return any(change.outcome in BAD for change in self.changes)


def compute_execution(
    operations: Sequence[Operation],
    ended: Mapping[int, OperationOutcome],
    *,
    fenced: Fenced | None,
    interrupted: bool,
) -> Execution:
    """Join the endings of *operations* into one change for each planned one."""
    parts: dict[tuple[ResourceId, int], dict[Step, OperationOutcome]] = {}
    planned: dict[tuple[ResourceId, int], PlannedChange] = {}
    for operation in operations:
        key = (operation.change.id, operation.change.leftover)
        planned[key] = operation.change
        parts.setdefault(key, {})[operation.step] = ended[operation.number]
    records: dict[ResourceId, Record | None] = {}
    changes = []
    for key in sorted(planned):
        if not key[1]:
            records |= _compute_records(planned[key], parts[key])
        changes.append(_compute_change(planned[key], parts[key]))
    changes.sort(key=lambda item: item.id)
    return Execution(
        changes=tuple(changes),
        records=records,
        cleaned=frozenset(
            leftover - 1
            for (_, leftover), part in parts.items()
            if leftover and part[Step.DELETE].is_good
        ),
        fenced=fenced,
        interrupted=interrupted,
    )


def _compute_change(change: PlannedChange, parts: Mapping[Step, OperationOutcome]) -> Change:
    worst = next((part for part in parts.values() if part.error), None)
    worst = worst or next((part for part in parts.values() if not part.is_good), None)
    end = worst or parts.get(Step.CREATE) or next(iter(parts.values()))
    return Change(
        id=change.id,
        action=change.action,
        outcome=end.outcome,
        reason=end.reason or change.reason,
        error=end.error.message.removeprefix(f"{change.id}: ") if end.error else None,
        hint=end.error.hint if end.error else None,
        seconds=round(sum(part.seconds for part in parts.values()), 3),
        healed=list_healed(change) if worst is None else (),
    )


def _compute_records(
    change: PlannedChange, parts: Mapping[Step, OperationOutcome]
) -> dict[ResourceId, Record | None]:
    if change.action is Action.REPLACE:
        return _compute_replacement(change, parts[Step.DELETE], parts[Step.CREATE])
    end = next(iter(parts.values()))
    if change.action in {Action.DELETE, Action.FORGET} and end.is_good:
        return {change.id: None}
    records: dict[ResourceId, Record | None] = {change.id: end.record} if end.record else {}
    if end.record and change.moved_from and not change.moved_infra:
        records[change.moved_from] = None
    return records


def _compute_replacement(
    change: PlannedChange, removed: OperationOutcome, made: OperationOutcome
) -> dict[ResourceId, Record | None]:
    if removed.is_good:
        origin: dict[ResourceId, Record | None] = {}
        if change.moved_from and not change.moved_infra:
            origin[change.moved_from] = None
        return {**origin, change.id: made.record}
    if made.record is None or change.record is None:
        return {}
    if made.is_good:
        old = change.record.attributes
        return {change.id: msgspec.structs.replace(made.record, leftovers=(old,))}
    left = (*change.record.leftovers, made.record.attributes)
    return {change.id: msgspec.structs.replace(change.record, leftovers=left)}

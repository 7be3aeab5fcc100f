"""Plans what is no longer desired: only what is proven to be ours goes. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from provisioning.core.model.graph import compute_reach, invert
from provisioning.core.model.ids import ResourceId
from provisioning.core.model.kinds import Kind, find_kind
from provisioning.core.model.providers import Absent, Observation, Present, Unreadable
from provisioning.core.model.records import Action, Record
from provisioning.core.model.resources import DeletePolicy, Resource
from provisioning.core.model.states import CrossInfraMove, DesiredState, LiveState, RecordedState
from provisioning.core.plan.ownership import Ownership
from provisioning.core.plan.plan import BlockedResource, PlannedChange, Risk

UNSEEN = Unreadable("nobody looked at it")

Blocked = Mapping[ResourceId, BlockedResource]


class Removals(msgspec.Struct, frozen=True):
    """The removals, and everything that is blocked, the desired included."""

    changes: list[PlannedChange]
    blocked: Blocked


def compute_removals(
    desired: DesiredState,
    recorded: RecordedState,
    live: LiveState,
    *,
    kinds: Mapping[str, Kind],
    ownership: Ownership,
    blocked: Blocked,
) -> Removals:
    """Plan the removal of what is recorded, or was begun, and is not desired.

    Args:
        desired: What the workspace asks for.
        recorded: What was applied last.
        live: What the providers answered.
        kinds: The kinds of all providers.
        ownership: Tells what is ours.
        blocked: What is blocked so far.
    """
    changes: list[PlannedChange] = []
    stuck = dict(blocked)
    gone = _find_gone(desired, recorded)
    for record in (_declare(item, desired.removed.get(item.id)) for item in gone):
        if record.id in blocked:
            continue
        is_proven = record.id in recorded.records
        seen = live.current.get(record.id, UNSEEN)
        cross_infra_move = recorded.cross_infra_moves.get(record.id) if is_proven else None
        found = (
            _plan_handover(record, cross_infra_move)
            if cross_infra_move
            else _plan_removal(
                record, find_kind(kinds, record), seen, ownership, is_proven=is_proven
            )
        )
        if isinstance(found, BlockedResource):
            stuck[found.id] = found
        elif found is not None:
            changes.append(found)
    changes, stuck = _keep_needed(changes, stuck, recorded)
    changes += _plan_leftovers(recorded, live, ownership, stuck)
    return Removals(changes, stuck)


def _find_gone(desired: DesiredState, recorded: RecordedState) -> Iterator[Record]:
    wanted = desired.resources.values()
    moved = {
        item.moved_from
        for item in wanted
        if item.id not in recorded.records and item.moved_infra is None
    }
    half = {new for old, new in recorded.half_moved.items() if old in desired.resources}
    begun = {item.id: item for item in recorded.unfinished}
    for name, record in sorted({**begun, **recorded.records}.items()):
        if name not in desired.resources and name not in moved and name not in half:
            yield record


def _plan_handover(
    record: Record, cross_infra_move: CrossInfraMove
) -> PlannedChange | BlockedResource:
    infra = cross_infra_move.infra
    if cross_infra_move.is_taken:
        return _build(record, Action.FORGET, f"it is {cross_infra_move.name} of {infra} now")
    if cross_infra_move.name is None:
        return BlockedResource(
            id=record.id,
            reason=f"{infra} cannot be read, and may ask for it",
            source=record.source,
            hint=f"`provisioning validate {infra}` tells what is wrong",
        )
    return BlockedResource(
        id=record.id,
        reason=f"it is to be {cross_infra_move.name} of {infra}, which has not taken it yet",
        source=cross_infra_move.source,
        hint=f"`provisioning reconcile {infra}` takes it",
        awaits=infra,
    )


def _declare(record: Record, removed: Resource | None) -> Record:
    """Return *record* with what Git says of its end, if it says so."""
    if removed is None or removed.removed is None:
        return record
    lifecycle = msgspec.structs.replace(record.lifecycle, on_delete=removed.removed)
    return msgspec.structs.replace(record, lifecycle=lifecycle, source=removed.source)


def _plan_removal(
    record: Record,
    kind: Kind | None,
    seen: Observation,
    ownership: Ownership,
    *,
    is_proven: bool,
) -> PlannedChange | BlockedResource | None:
    if kind is None:
        return BlockedResource(
            id=record.id,
            reason=f"no provider {record.provider!r} serves the kind {record.kind}",
            source=record.source,
            hint="install or configure the provider again, or put the manifest back",
        )
    match seen:
        case Unreadable(reason):
            reason = f"it cannot be read: {reason}"
            return BlockedResource(id=record.id, reason=reason, source=record.source)
        case Present() if kind.recorded_only or ownership.is_ours(record.id, seen):
            return _plan_ours(record, kind, seen, is_proven=is_proven)
        case _ if not is_proven:
            return None
        case Absent():
            return _build(record, Action.FORGET, "it is no longer desired, and already gone")
    return _build(
        record,
        Action.FORGET,
        "it is no longer desired",
        warning="it is left where it is, because it does not bear our mark",
    )


def _plan_ours(record: Record, kind: Kind, seen: Present, *, is_proven: bool) -> PlannedChange:
    if record.lifecycle.on_delete is DeletePolicy.RETAIN:
        return _build(record, Action.FORGET, "it is no longer desired, and is to be retained")
    return _build(
        record,
        Action.DELETE,
        "it is no longer desired" if is_proven else "a run that was cut off made it",
        live=seen,
        risk=Risk.SAFE if kind.recorded_only else Risk.DESTRUCTIVE,
    )


def _keep_needed(
    changes: list[PlannedChange], blocked: Blocked, recorded: RecordedState
) -> tuple[list[PlannedChange], dict[ResourceId, BlockedResource]]:
    """Keep what something blocked was built on."""
    needs = {name: record.depends_on for name, record in recorded.records.items()}
    keep = compute_reach([name for name in blocked if name in needs], needs)
    users = invert(needs)
    stuck = dict(blocked)
    kept = []
    for change in changes:
        if change.action is not Action.DELETE or change.id not in keep:
            kept.append(change)
            continue
        user = next(name for name in users[change.id] if name in keep)
        reason = f"{user} was built on it, and is blocked"
        stuck[change.id] = BlockedResource(id=change.id, reason=reason, source=change.source)
    return kept, stuck


def _plan_leftovers(
    recorded: RecordedState, live: LiveState, ownership: Ownership, blocked: Blocked
) -> Iterator[PlannedChange]:
    for position, seen in sorted(live.leftovers.items()):
        begun = recorded.unfinished[position]
        if begun.id in blocked or not isinstance(seen, Present):
            continue
        if ownership.is_ours(begun.id, seen):
            yield _build(
                begun,
                Action.DELETE,
                "a run that was cut off left it behind",
                live=seen,
                record=recorded.records.get(begun.id),
                leftover=position + 1,
            )


def _build(
    subject: Record,
    action: Action,
    reason: str,
    *,
    live: Present | None = None,
    record: Record | None = None,
    risk: Risk = Risk.SAFE,
    warning: str | None = None,
    leftover: int = 0,
) -> PlannedChange:
    return PlannedChange(
        id=subject.id,
        action=action,
        reason=reason,
        kind=subject.kind,
        provider=subject.provider,
        api_version=subject.api_version,
        provider_type=subject.provider_type,
        risk=risk,
        source=subject.source,
        record=record if leftover else subject,
        live=live,
        warning=warning,
        leftover=leftover,
        heals=bool(leftover),
    )

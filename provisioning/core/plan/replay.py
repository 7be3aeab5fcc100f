"""Gives back what a plan was computed from, out of what its run wrote down. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from provisioning.core.model.ids import Mark, ResourceId, parse_mark
from provisioning.core.model.kinds import Kind, find_kind
from provisioning.core.model.providers import Absent, Observation, Present, Unreadable
from provisioning.core.model.records import Inputs, UnexpectedState
from provisioning.core.model.states import LiveState, RecordedState
from provisioning.core.model.values import Tree, from_json
from provisioning.core.plan.inputs import ABSENT, UNREADABLE, compute_read, is_open
from provisioning.core.plan.observation_targets import Places

Key = TypeVar("Key", ResourceId, int)


def restore_live(
    inputs: Inputs,
    places: Places,
    recorded: RecordedState,
    *,
    kinds: Mapping[str, Kind],
    owner: str,
) -> LiveState:
    """Return what the providers answered when *inputs* were written down."""
    current: dict[ResourceId, Observation] = {}
    for name, target in places.current.items():
        record = recorded.records.get(target.id)
        if name in inputs.current:
            current[name] = _restore(inputs.current[name])
        elif record is None:
            current[name] = Absent()
        else:
            mark = Mark(f"{owner}/{target.id}", record.run, record.operation)
            kind = find_kind(kinds, record)
            is_seen = kind is not None and not kind.recorded_only
            current[name] = Present(record.attributes, mark if is_seen else None)
    return LiveState(
        current=current,
        elsewhere=_restore_all(inputs.elsewhere, places.elsewhere),
        leftovers=_restore_all(inputs.leftovers, places.leftovers),
    )


def _restore_all(
    noted: Mapping[Key, UnexpectedState], places: Mapping[Key, object]
) -> dict[Key, Observation]:
    return {name: _restore(noted[name]) if name in noted else Absent() for name in places}


def _restore(seen: UnexpectedState) -> Observation:
    if seen.state == ABSENT:
        return Absent()
    if seen.state == UNREADABLE:
        return Unreadable(seen.reason)
    return Present(from_json(seen.attributes), parse_mark(seen.mark) if seen.mark else None)


def find_changed_reads(inputs: Inputs, reads: Mapping[str, Tree], key: bytes) -> list[str]:
    """Return the references whose values are not those that *inputs* tell of, sorted."""
    now = {name: compute_read(value, key) for name, value in reads.items() if not is_open(name)}
    return sorted(
        name for name in now.keys() | inputs.read.keys() if now.get(name) != inputs.read.get(name)
    )

"""What a plan was computed from, kept so that anybody can compute it again. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from provisioning import __version__
from provisioning.core.expressions.interpolation import Reference, parse_text
from provisioning.core.model.ids import ResourceId, parse_mark
from provisioning.core.model.kinds import Kind, find_kind, get_kind
from provisioning.core.model.providers import Absent, Observation, Present, Unreadable
from provisioning.core.model.records import Inputs, Record, UnexpectedState
from provisioning.core.model.resources import Resource, Templated
from provisioning.core.model.sensitive import Secret, has_secret, mark_secrets, reveal
from provisioning.core.model.states import DesiredState, LiveState, RecordedState
from provisioning.core.model.values import (
    Tree,
    as_json,
    compute_fingerprint,
    is_equal,
    read_at,
    replace_at,
    summarise,
)
from provisioning.core.plan.diff import compute_recorded
from provisioning.core.plan.plan import Plan

OPEN = frozenset({"git", "infra", "now", "paths"})
"""The namespaces whose values anybody may see who reads the state log."""

PRESENT, ABSENT, UNREADABLE = "present", "absent", "unreadable"


def compute_inputs(
    plan: Plan,
    desired: DesiredState,
    recorded: RecordedState,
    live: LiveState,
    *,
    kinds: Mapping[str, Kind],
    owner: str,
    key: bytes,
    targets: Sequence[str] = (),
    excludes: Sequence[str] = (),
    corrects: Collection[ResourceId] = (),
) -> Inputs:
    """Return what *plan* was computed from, besides its commit and the state log.

    What was seen is kept only where it was not as recorded, so that the size follows the
    changes. No secret is in it.
    """
    scribe = _Scribe(desired, kinds, key)
    relevant = {*_list_relevant(plan, desired), *_list_deviating(plan, recorded, live)}
    return Inputs(
        release=__version__,
        key=compute_fingerprint(None, key).fingerprint,
        targets=tuple(targets),
        excludes=tuple(excludes),
        corrects=tuple(sorted(corrects)),
        facts={name: as_json(value) for name, value in desired.reads.items() if is_open(name)},
        read={
            name: compute_read(value, key)
            for name, value in desired.reads.items()
            if not is_open(name)
        },
        current={
            name: seen
            for name in sorted(relevant & live.current.keys())
            if (
                seen := scribe.note(name, live.current[name], _find_record(name, desired, recorded))
            )
            and not _is_expected(seen, _find_record(name, desired, recorded), f"{owner}/{name}")
        },
        elsewhere=scribe.note_all(live.elsewhere, recorded),
        leftovers=scribe.note_leftovers(live.leftovers, recorded),
    )


def is_open(name: str) -> bool:
    """Tell whether the value of the reference *name* may stand in the state log."""
    return name.partition(".")[0] in OPEN


def compute_read(value: Tree, key: bytes) -> str:
    """Return the fingerprint of what an interpolation gave."""
    return compute_fingerprint(reveal(value), key).fingerprint


def _list_relevant(plan: Plan, desired: DesiredState) -> Iterator[ResourceId]:
    for change in plan.changes:
        yield change.id
        yield from change.resource.dependencies if change.resource else ()
    for name in (*(item.id for item in plan.blocked), *(item.id for item in plan.drifted)):
        yield name
        resource = desired.resources.get(name)
        yield from resource.dependencies if resource else ()


def _list_deviating(plan: Plan, recorded: RecordedState, live: LiveState) -> Iterator[ResourceId]:
    """Yield what is as desired already, and may not be as it was recorded."""
    for name in plan.unchanged:
        record, seen = recorded.records.get(name), live.current.get(name)
        if record is None or not isinstance(seen, Present) or seen.attributes != record.attributes:
            yield name


def _find_record(name: ResourceId, desired: DesiredState, recorded: RecordedState) -> Record | None:
    resource = desired.resources.get(name)
    return recorded.find(resource) if resource else recorded.records.get(name)


class _Scribe:
    """Writes down what was seen, with no secret in it."""

    def __init__(self, desired: DesiredState, kinds: Mapping[str, Kind], key: bytes) -> None:
        self._desired = desired
        self._kinds = kinds
        self._key = key

    def note(
        self, name: ResourceId, seen: Observation, record: Record | None
    ) -> UnexpectedState | None:
        """Return *seen* as it is kept; None for a kind that has nothing to see."""
        resource = self._desired.resources.get(name)
        subject = resource or record
        kind = find_kind(self._kinds, subject) if subject else None
        if kind is None or kind.recorded_only:
            return None
        match seen:
            case Absent():
                return UnexpectedState(state=ABSENT)
            case Unreadable(reason):
                return UnexpectedState(state=UNREADABLE, reason=reason)
        attributes = self._conceal(kind, resource, record, seen.attributes)
        mark = str(seen.mark) if seen.mark else None
        return UnexpectedState(state=PRESENT, attributes=attributes, mark=mark)

    def note_current(
        self, live: LiveState, recorded: RecordedState, relevant: set[ResourceId], owner: str
    ) -> Iterator[tuple[ResourceId, UnexpectedState]]:
        for name in sorted(relevant & live.current.keys()):
            record = _find_record(name, self._desired, recorded)
            seen = self.note(name, live.current[name], record)
            if seen and not _is_expected(seen, record, f"{owner}/{name}"):
                yield name, seen

    def note_all(
        self, answers: Mapping[ResourceId, Observation], recorded: RecordedState
    ) -> dict[ResourceId, UnexpectedState]:
        noted = (
            (name, self.note(name, seen, _find_record(name, self._desired, recorded)))
            for name, seen in sorted(answers.items())
        )
        return {name: seen for name, seen in noted if seen and seen.state != ABSENT}

    def note_leftovers(
        self, answers: Mapping[int, Observation], recorded: RecordedState
    ) -> dict[int, UnexpectedState]:
        noted = (
            (number, self.note(recorded.unfinished[number].id, seen, recorded.unfinished[number]))
            for number, seen in sorted(answers.items())
        )
        return {number: seen for number, seen in noted if seen and seen.state != ABSENT}

    def _may_be_secret(self, resource: Resource, hole: Templated) -> bool:
        """Return whether the interpolations in *hole* may have given *resource* a secret."""
        text = read_at(resource.spec, hole.path)
        return self._desired.has_secrets or any(
            isinstance(part, Reference) and self._names_secret(part) for part in parse_text(text)
        )

    def _names_secret(self, reference: Reference) -> bool:
        if reference.resource is None or not reference.steps[1:]:
            return False
        kind = get_kind(self._kinds, self._desired.resources[reference.resource])
        return kind.may_be_secret(reference.steps[1:])

    def _conceal(
        self,
        kind: Kind,
        resource: Resource | None,
        record: Record | None,
        attributes: Mapping[str, Tree],
    ) -> dict[str, Tree]:
        marked = mark_secrets(kind, attributes, record.spec) if record else dict(attributes)
        if resource is not None:
            holes = [it for it in resource.templated if self._may_be_secret(resource, it)]
            marked = _mark_desired(kind, resource, holes, marked) if holes else marked
        known = record.attributes if record else {}
        kept = {
            name: value if name in kind.identity else _shorten(value, known.get(name))
            for name, value in compute_recorded(kind, marked, self._key).items()
        }
        return {name: as_json(value) for name, value in kept.items()}


def _shorten(value: Tree, known: Tree) -> Tree:
    """Return *value* with a digest for each text nobody recorded: who knows what was put there."""
    if isinstance(value, dict):
        below = known if isinstance(known, dict) else {}
        return {name: _shorten(item, below.get(name)) for name, item in value.items()}
    return summarise(value) if isinstance(value, str) and value != known else value


def _mark_desired(
    kind: Kind, resource: Resource, holes: Sequence[Templated], attributes: Mapping[str, Tree]
) -> dict[str, Tree]:
    """Mark what the secrets in *holes* of *resource* may have gone into, known or still to come."""
    spec = resource.spec
    for hole in holes:
        spec = replace_at(spec, hole.path, Secret)
    if kind.expand is None or not has_secret(spec):
        return mark_secrets(kind, attributes, spec)
    plain = {name for name, value in spec.items() if not has_secret(value)}
    return {name: value if name in plain else Secret(value) for name, value in attributes.items()}


def _is_expected(seen: UnexpectedState, record: Record | None, owner: str) -> bool:
    if record is None:
        return seen.state == ABSENT
    mark = parse_mark(seen.mark) if seen.mark else None
    return (
        seen.state == PRESENT
        and mark is not None
        and mark.owner == owner
        and is_equal(seen.attributes, as_json(record.attributes))
    )

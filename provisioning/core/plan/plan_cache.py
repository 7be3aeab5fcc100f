"""What a look found settled, so that the next one need not look at it again. Pure.

A resource is settled if the plan left it alone and would leave it alone again as long as three
things are the same: its manifest, its record, and what it refers to. Only a kind that lives in the
state log alone can be settled: anything else may have changed in the world. What may be touched by
a change is found from the ids of what changed, along the dependencies.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec

from provisioning.core.expressions.interpolation import parse_text
from provisioning.core.model.graph import compute_reach
from provisioning.core.model.ids import BlobId, ResourceId
from provisioning.core.model.kinds import Kind, get_kind
from provisioning.core.model.records import Record
from provisioning.core.model.resources import Resource
from provisioning.core.model.states import RecordedState
from provisioning.core.model.values import read_at
from provisioning.core.plan.plan import Plan


class CachedFile(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A manifest that was looked at: its blob, and the resources in it.

    `removed` is how many of them are declared to be gone.
    """

    blob: BlobId
    ids: tuple[ResourceId, ...]
    removed: int = 0


class PlanCache(msgspec.Struct, frozen=True, kw_only=True):
    """What one look found.

    Args:
        version: Names the code, the kinds and the key that looked.
        records: The id of the recorded state.
        recorded: How many records there are in it.
        files: Every manifest, by its path in the infra.
        settled: The resources that are settled, sorted.
        unsettled: All others that are desired or recorded.
        followers: Who depends on what.
    """

    version: str
    records: str = ""
    recorded: int = 0
    files: dict[str, CachedFile] = {}
    settled: tuple[ResourceId, ...] = ()
    unsettled: tuple[ResourceId, ...] = ()
    followers: dict[ResourceId, tuple[ResourceId, ...]] = {}

    def compute_touched(self, changed: Iterable[ResourceId]) -> set[ResourceId]:
        """Return all that must be looked at if *changed* have changed."""
        return compute_reach({*changed, *self.unsettled}, self.followers)


def compute_plan_cache(
    base: PlanCache,
    seen: Collection[ResourceId],
    *,
    resources: Iterable[Resource],
    recorded: RecordedState,
    plan: Plan,
    kinds: Mapping[str, Kind],
) -> PlanCache:
    """Compute what holds after a look at *seen*; of all else *base* still holds.

    Args:
        base: What was found before, already with the new files and records.
        seen: What was looked at: everything desired or recorded that *base* does not settle.
        resources: Those of *seen* that are desired, as their manifests have them.
        recorded: The records of *seen*.
        plan: What the look found.
        kinds: The kinds of all providers.
    """
    resources = list(resources)
    drifted = {item.id for item in plan.drifted}
    calm = set(plan.unchanged) - drifted
    settled = {
        item.id
        for item in resources
        if item.id in calm
        and is_lasting(item, get_kind(kinds, item))
        and _is_well(recorded.records.get(item.id))
    }
    known = {item.id for item in resources} | recorded.records.keys()
    followers: dict[ResourceId, list[ResourceId]] = {}
    for name, users in base.followers.items():
        if kept := [user for user in users if user not in seen]:
            followers[name] = kept
    for resource in resources:
        for need in resource.dependencies:
            followers.setdefault(need, []).append(resource.id)
    return msgspec.structs.replace(
        base,
        settled=tuple(sorted([*(name for name in base.settled if name not in seen), *settled])),
        unsettled=tuple(sorted(known - settled)),
        followers={name: tuple(sorted(users)) for name, users in followers.items()},
    )


def is_lasting(resource: Resource, kind: Kind) -> bool:
    """Tell whether *resource* depends on nothing but its manifest, its record and other resources.

    A setting, the time or a secret may be another one at any time, and so may a workspace file.
    """
    if not kind.recorded_only or kind.expand is not None or resource.moved_from is not None:
        return False
    texts = (read_at(resource.spec, hole.path) for hole in resource.templated)
    parts = (part for text in texts for part in parse_text(text))
    return all(isinstance(part, str) or part.resource is not None for part in parts)


def _is_well(record: Record | None) -> bool:
    return record is not None and not (record.error or record.leftovers or record.moved_from)


def count_desired(files: Mapping[str, CachedFile]) -> int:
    """Return how many resources *files* ask for."""
    return sum(len(file.ids) - file.removed for file in files.values())


def settle_file(blob: BlobId, resources: Collection[Resource]) -> CachedFile:
    """Return the manifest *blob* that has *resources*."""
    removed = sum(resource.removed is not None for resource in resources)
    return CachedFile(blob, tuple(resource.id for resource in resources), removed)

"""Looks at desired, recorded and live state: at all of it, or only at what may have changed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec.structs import replace

from provisioning import __version__
from provisioning.core.expressions.references import Lookup
from provisioning.core.manifests.desired_state import compute_desired
from provisioning.core.model.errors import ProvisioningError
from provisioning.core.model.ids import BlobId, CommitId, ResourceId
from provisioning.core.model.kinds import Kind
from provisioning.core.model.masked import Masked
from provisioning.core.model.providers import Provider
from provisioning.core.model.records import Begin, Record
from provisioning.core.model.resources import Resource
from provisioning.core.model.states import DesiredState, LiveState, RecordedState
from provisioning.core.model.values import compute_digest, compute_fingerprint
from provisioning.core.plan.compute import compute_plan
from provisioning.core.plan.observation_targets import compute_places
from provisioning.core.plan.plan import Plan
from provisioning.core.plan.plan_cache import CachedFile, PlanCache, count_desired, settle_file
from provisioning.gitstore.statelog.recorded import Records
from provisioning.localstore.plan_cache import load_plan_cache
from provisioning.reconciler.execution.provider_calls import plan_by_provider
from provisioning.reconciler.execution.recovery import compute_unfinished
from provisioning.reconciler.planning.cross_infra import CrossInfraReader
from provisioning.reconciler.planning.observation import observe_live
from provisioning.reconciler.planning.plan_cache import CacheUpdate, is_worthwhile


class Manifest(Protocol):
    """One file of manifests. Equal blobs, equal resources."""

    @property
    def blob(self) -> BlobId:
        """The id of its content."""

    def read(self) -> Iterable[Resource]:
        """Return its resources."""


class Manifests(Protocol):
    """Read the desired state; `Compiler` is the implementation that reads Git."""

    def read_manifests(self, commit: CommitId, infra: str) -> Mapping[str, Manifest]:
        """Return the manifests of *infra* at *commit*, by path."""

    def read_files(self, commit: CommitId, desired: DesiredState) -> Mapping[str, bytes]:
        """Return the workspace files that the specs of *desired* name."""


class CommitHistory(Protocol):
    """The commits of the workspace."""

    def has_object(self, name: str) -> bool:
        """Tell whether the commit was fetched."""

    def is_ancestor(self, old: CommitId, new: CommitId) -> bool:
        """Tell whether *new* is *old* or follows it."""


class PlanningState(msgspec.Struct, frozen=True, kw_only=True):
    """What one look saw, and the plan that follows from it.

    The three states hold all that the plan changes, and all that this depends on; what is
    settled may be missing. The two counts are of everything there is. `cache_update` keeps what is
    settled once the plan is done; None if the next look finds out as easily by itself.
    """

    plan: Plan
    desired: DesiredState
    recorded: RecordedState
    live: LiveState
    desired_count: int
    recorded_count: int
    cache_update: CacheUpdate | None = None


class Planner(Masked, frozen=True, kw_only=True):
    """Looks for one infra.

    Args:
        infra: Its name.
        workspace: The workspace's id.
        compiler: Reads the manifests.
        kinds: The kinds of all providers.
        providers: By name.
        lookup: Answers interpolations that are not about resources.
        key: The key of fingerprints.
        plan_cache: The file that keeps what is settled; it may vanish at any time.
        cross_infra: Tells of the other infras.
        corrects: The resources whose drift is corrected, whatever their manifests say.
    """

    infra: str
    workspace: str
    compiler: Manifests
    kinds: Mapping[str, Kind]
    providers: Mapping[str, Provider]
    lookup: Lookup
    key: bytes
    plan_cache: Path
    cross_infra: CrossInfraReader
    corrects: frozenset[ResourceId] = frozenset()

    def look(
        self,
        commit: CommitId,
        records: Records,
        begin: Begin | None,
        journalled: Iterable[Record],
    ) -> PlanningState:
        """Plan *commit* from *records* and a look at the world.

        Args:
            commit: The commit to plan.
            records: What was applied last.
            begin: The intention of a run that has not ended.
            journalled: What the journals of cut-off runs tell.

        Raises:
            InvalidManifest: If the desired state makes no sense.
        """
        manifests = self.compiler.read_manifests(commit, self.infra)
        known = load_plan_cache(self.plan_cache, self._compute_version())
        cut_off = tuple(journalled)
        if begin is None and not cut_off:
            sight = self._look_at_changes(commit, manifests, records, known)
            if sight is not None:
                return sight
        return self._look_at_all(commit, manifests, records, begin, cut_off)

    def read_desired(self, commit: CommitId) -> DesiredState:
        """Compile and check the whole desired state at *commit*; look at nothing else."""
        manifests = self.compiler.read_manifests(commit, self.infra)
        return self._compute_desired(commit, _list_resources(manifests.values()))

    def _compute_version(self) -> str:
        known = sorted(
            repr(
                (
                    kind.name,
                    kind.provider,
                    kind.fields,
                    kind.recorded_only,
                    bool(kind.expand),
                    {**kind.location},
                )
            )
            for kind in self.kinds.values()
        )
        return compute_digest([__version__, known, compute_fingerprint("settled", self.key)])

    def _compute_desired(self, commit: CommitId, resources: Iterable[Resource]) -> DesiredState:
        desired = compute_desired(self.infra, commit, resources, self.kinds, self.lookup)
        return replace(desired, files=self.compiler.read_files(commit, desired))

    def meet(self, desired: DesiredState, recorded: RecordedState) -> RecordedState:
        """Return *recorded* with what other infras know of what moves."""
        wanted, records = desired.resources, recorded.records
        coming = [it for name, it in wanted.items() if it.moved_infra and name not in records]
        going = records.keys() - wanted.keys()
        if not coming and not going:
            return recorded
        return replace(
            recorded,
            origins=self.cross_infra.find_origins(desired.commit, coming),
            cross_infra_moves=self.cross_infra.find_handovers(desired.commit, going),
        )

    def _observe(self, desired: DesiredState, recorded: RecordedState) -> tuple[LiveState, Plan]:
        places = compute_places(desired, recorded, self.kinds)
        owner = f"{self.workspace}/{self.infra}"
        live = observe_live(places, kinds=self.kinds, providers=self.providers, owner=owner)
        plan = compute_plan(
            desired,
            recorded,
            live,
            kinds=self.kinds,
            workspace=self.workspace,
            key=self.key,
            corrects=self.corrects,
            plan_by_provider=plan_by_provider(self.providers),
        )
        return live, plan

    # Everything

    def _look_at_all(
        self,
        commit: CommitId,
        manifests: Mapping[str, Manifest],
        records: Records,
        begin: Begin | None,
        journalled: Iterable[Record],
    ) -> PlanningState:
        files = {path: tuple(manifest.read()) for path, manifest in manifests.items()}
        resources = [resource for found in files.values() for resource in found]
        every = records.read_all()
        unfinished = compute_unfinished(every, begin, journalled)
        recorded = RecordedState(head=records.head, records=every, unfinished=unfinished)
        desired = self._compute_desired(commit, resources)
        recorded = self.meet(desired, recorded)
        live, plan = self._observe(desired, recorded)
        sight = PlanningState(
            plan=plan,
            desired=desired,
            recorded=recorded,
            live=live,
            desired_count=len(desired.resources),
            recorded_count=len(every),
        )
        if begin is None and not unfinished:
            base = PlanCache(
                version=self._compute_version(),
                records=records.id,
                recorded=len(every),
                files={
                    path: settle_file(manifests[path].blob, found) for path, found in files.items()
                },
            )
            cache_update = self._settle(base, {*desired.resources, *every}, resources)
            cache_update.keep(recorded, plan)
            return replace(sight, cache_update=cache_update)
        return sight

    def _settle(
        self, base: PlanCache, seen: Collection[ResourceId], resources: Iterable[Resource]
    ) -> CacheUpdate:
        return CacheUpdate(
            base=base, seen=seen, resources=tuple(resources), kinds=self.kinds, path=self.plan_cache
        )

    # Only what may have changed

    def _look_at_changes(
        self,
        commit: CommitId,
        manifests: Mapping[str, Manifest],
        records: Records,
        known: PlanCache,
    ) -> PlanningState | None:
        """Look at what may have changed since *known*; None if only a whole look can tell."""
        if not known.settled:
            return None
        news = _News.read(manifests, known)
        moved = records.compute_changes(known.records)
        if moved is None or news.has_twins(known):
            return None
        touched = known.compute_touched({*news.gone, *news.found, *moved.names})
        if not is_worthwhile(known, len(touched)):
            return None
        scope = _Scope(manifests, known, news).choose(touched)
        try:
            sight = self._look_at(commit, scope, touched, records)
        except ProvisioningError:
            return None  # the whole look tells it in the words that fit the whole
        plan, context = sight.plan, scope.keys() - touched
        if plan.blocked or not context.issubset(plan.unchanged):
            return None
        seen = touched | scope.keys()
        rest = (name for name in known.settled if name not in seen)
        base = msgspec.structs.replace(
            known,
            records=records.id,
            recorded=known.recorded + moved.growth,
            files=news.files,
        )
        sight = replace(
            sight,
            plan=replace(plan, unchanged=tuple(sorted([*rest, *plan.unchanged]))),
            desired_count=count_desired(news.files),
            recorded_count=base.recorded,
        )
        if base != known and not plan.changes:
            self._settle(base, seen, scope.values()).keep(sight.recorded, sight.plan)
        return sight

    def _look_at(
        self,
        commit: CommitId,
        scope: Mapping[ResourceId, Resource],
        touched: Iterable[ResourceId],
        records: Records,
    ) -> PlanningState:
        origins = (item.moved_from for item in scope.values() if item.moved_from)
        found = {name: records.get(name) for name in {*scope, *touched, *origins}}
        kept = {name: record for name, record in found.items() if record is not None}
        unfinished = compute_unfinished(kept, None, ())
        recorded = RecordedState(head=records.head, records=kept, unfinished=unfinished)
        desired = self._compute_desired(commit, scope.values())
        recorded = self.meet(desired, recorded)
        live, plan = self._observe(desired, recorded)
        return PlanningState(
            plan=plan,
            desired=desired,
            recorded=recorded,
            live=live,
            desired_count=len(scope),
            recorded_count=len(kept),
        )


def _list_resources(manifests: Iterable[Manifest]) -> Iterator[Resource]:
    return (resource for manifest in manifests for resource in manifest.read())


class _News(msgspec.Struct, frozen=True):
    """Which manifests are not those that were settled, and what is in them."""

    files: dict[str, CachedFile]
    gone: set[ResourceId]
    found: dict[ResourceId, Resource]
    count: int

    @classmethod
    def read(cls, manifests: Mapping[str, Manifest], known: PlanCache) -> _News:
        files: dict[str, CachedFile] = {}
        found: dict[ResourceId, Resource] = {}
        gone: set[ResourceId] = set()
        count = 0
        for path, manifest in manifests.items():
            old = known.files.get(path)
            if old is not None and old.blob == manifest.blob:
                files[path] = old
                continue
            gone.update(old.ids if old else ())
            resources = tuple(manifest.read())
            files[path] = settle_file(manifest.blob, resources)
            found.update((resource.id, resource) for resource in resources)
            count += len(resources)
        for path in known.files.keys() - manifests.keys():
            gone.update(known.files[path].ids)
        return cls(files, gone, found, count)

    def has_twins(self, known: PlanCache) -> bool:
        """Tell whether anything is defined twice."""
        if self.count != len(self.found):
            return True
        new = self.found.keys() - self.gone
        old = (*known.settled, *known.unsettled) if new else ()
        return not new.isdisjoint(old) and self._has_twins(new)

    def _has_twins(self, new: set[ResourceId]) -> bool:
        names = [name for file in self.files.values() for name in file.ids if name in new]
        return len(names) != len(new)


@dataclass(slots=True)
class _Scope:
    """Chooses the resources without which those that are touched cannot be planned."""

    manifests: Mapping[str, Manifest]
    known: PlanCache
    news: _News
    _paths: dict[ResourceId, str] = field(default_factory=dict)
    _read: dict[ResourceId, Resource] = field(default_factory=dict)

    def choose(self, touched: Iterable[ResourceId]) -> dict[ResourceId, Resource]:
        chosen: dict[ResourceId, Resource] = {}
        front = list(touched)
        while front:
            name = front.pop()
            resource = None if name in chosen else self._find(name)
            if resource is None:
                continue
            chosen[name] = resource
            front += resource.dependencies
            if resource.moved_from:
                front.append(resource.moved_from)
        return chosen

    def _find(self, name: ResourceId) -> Resource | None:
        if name in self.news.found:
            return self.news.found[name]
        if name in self.news.gone:
            return None
        if not self._paths:
            self._paths = {
                item: path for path, file in self.news.files.items() for item in file.ids
            }
        if name not in self._read and name in self._paths:
            manifest = self.manifests[self._paths[name]]
            self._read.update((item.id, item) for item in manifest.read())
        return self._read.get(name)

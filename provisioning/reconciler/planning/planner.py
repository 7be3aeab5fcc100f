"""Plans from desired, recorded and live state: all of it, or only what may have changed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
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
from provisioning.core.model.masked import Masked
from provisioning.core.model.records import Record
from provisioning.core.model.resources import Resource
from provisioning.core.model.states import DesiredState, LiveState, RecordedState
from provisioning.core.model.values import compute_digest, compute_fingerprint
from provisioning.core.plan.observation_targets import Places, compute_places
from provisioning.core.plan.plan_cache import CachedFile, PlanCache, count_desired, settle_file
from provisioning.core.plan.stale_records import upgrade_records
from provisioning.core.statelog.transitions import LogView
from provisioning.gitstore.statelog.recorded import Records
from provisioning.localstore.journal import list_journals, read_unfinished
from provisioning.localstore.plan_cache import load_plan_cache
from provisioning.reconciler.context import InfraContext
from provisioning.reconciler.execution.recovery import compute_unfinished
from provisioning.reconciler.planning.cross_infra import CrossInfra
from provisioning.reconciler.planning.observation import observe_live
from provisioning.reconciler.planning.plan_cache import CacheUpdate, is_worthwhile
from provisioning.reconciler.planning.plan_result import PlanResult, RunRequest


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


class _Source(msgspec.Struct, frozen=True):
    """The inputs of one plan: the request, the state log and its records, and the manifests."""

    request: RunRequest
    view: LogView
    records: Records
    manifests: Mapping[str, Manifest]

    def build_recorded(
        self, records: Mapping[ResourceId, Record], cut_off: Iterable[Record]
    ) -> RecordedState:
        """Join *records* with what interrupted runs may have left."""
        unfinished = compute_unfinished(records, self.view.begin, cut_off)
        return RecordedState(head=self.records.head, records=records, unfinished=unfinished)


class Planner(Masked, frozen=True, kw_only=True):
    """Plans one infra.

    Args:
        context: The infra.
        compiler: Reads the manifests.
        lookup: Answers interpolations that are not about resources.
        plan_cache: The file of what the last plan found unchanged; it may vanish at any time.
        cross_infra: Reads the other infras.
    """

    context: InfraContext
    compiler: Manifests
    lookup: Lookup
    plan_cache: Path
    cross_infra: CrossInfra

    def plan(self, request: RunRequest, view: LogView | None = None) -> PlanResult:
        """Plan the commit of *request*; no gate and no target counts yet.

        Raises:
            InvalidManifest: If the desired state makes no sense.
        """
        log = self.context.log
        view, journals = view or log.read(), list_journals(self.context.journals)
        cut_off = read_unfinished(journals)
        records = log.open_records(view)
        manifests = self.compiler.read_manifests(request.commit, self.context.infra)
        source = _Source(request, view, records, manifests)
        cache = load_plan_cache(self.plan_cache, self._compute_version())
        planned = None
        if view.begin is None and not cut_off:
            planned = self._plan_changed(source, cache)
        return replace(planned or self._plan_all(source, cut_off), journals=journals)

    def read_desired(self, commit: CommitId) -> DesiredState:
        """Compile and check the whole desired state at *commit*; observe nothing."""
        manifests = self.compiler.read_manifests(commit, self.context.infra).values()
        return self._compute_desired(
            commit, (resource for manifest in manifests for resource in manifest.read())
        )

    def _compute_version(self) -> str:
        known = sorted(kind.version for kind in self.context.kinds.values())
        key = compute_fingerprint("settled", self.context.key)
        return compute_digest([__version__, known, key])

    def _compute_desired(self, commit: CommitId, resources: Iterable[Resource]) -> DesiredState:
        context = self.context
        desired = compute_desired(context.infra, commit, resources, context.kinds, self.lookup)
        return replace(desired, files=self.compiler.read_files(commit, desired))

    def plan_states(
        self,
        request: RunRequest,
        view: LogView,
        desired: DesiredState,
        recorded: RecordedState,
        observe: Callable[[Places, RecordedState], LiveState] | None = None,
    ) -> PlanResult:
        """Plan from *desired*, *recorded*, and what *observe* returns or the providers do."""
        context = self.context
        recorded = self._add_moves(desired, recorded)
        places = compute_places(desired, recorded, context.kinds)
        live = observe(places, recorded) if observe else observe_live(context, places)
        return PlanResult(
            plan=context.compute_plan(desired, recorded, live, request.corrects),
            desired=desired,
            recorded=recorded,
            live=live,
            view=view,
            desired_count=len(desired.resources),
            recorded_count=len(recorded.records),
        )

    def _add_moves(self, desired: DesiredState, recorded: RecordedState) -> RecordedState:
        """Return *recorded* as the kinds are now, with what other infras record of moves."""
        recorded = upgrade_records(recorded, self.context.kinds)
        wanted, records = desired.resources, recorded.records
        coming = [it for name, it in wanted.items() if it.moved_infra and name not in records]
        going = records.keys() - wanted.keys()
        if not coming and not going:
            return recorded
        return replace(
            recorded,
            origins=self.cross_infra.find_origins(desired.commit, coming),
            cross_infra_moves=self.cross_infra.find_moves(desired.commit, going),
        )

    def _plan(
        self, source: _Source, resources: Iterable[Resource], recorded: RecordedState
    ) -> PlanResult:
        desired = self._compute_desired(source.request.commit, resources)
        return self.plan_states(source.request, source.view, desired, recorded)

    def _plan_all(self, source: _Source, cut_off: Iterable[Record]) -> PlanResult:
        manifests, every = source.manifests, source.records.read_all()
        files = {path: tuple(manifest.read()) for path, manifest in manifests.items()}
        resources = tuple(resource for found in files.values() for resource in found)
        planned = self._plan(source, resources, source.build_recorded(every, cut_off))
        if source.view.begin is not None or planned.recorded.unfinished:
            return planned
        base = PlanCache(
            version=self._compute_version(),
            records=source.records.id,
            recorded=len(every),
            files={path: settle_file(manifests[path].blob, found) for path, found in files.items()},
        )
        seen = {*planned.desired.resources, *every}
        cache_update = self._build_cache_update(base, seen, resources)
        cache_update.save(planned.recorded, planned.plan)
        return replace(planned, cache_update=cache_update)

    def _plan_changed(self, source: _Source, cache: PlanCache) -> PlanResult | None:
        """Plan what may have changed since *cache*; None if all must be planned."""
        if not cache.settled:
            return None
        records = source.records
        changes = _ManifestChanges.read(source.manifests, cache)
        moved = records.compute_changes(cache.records)
        if moved is None or changes.has_twins(cache):
            return None
        touched = cache.compute_touched({*changes.gone, *changes.found, *moved.names})
        if not is_worthwhile(cache, len(touched)):
            return None
        scope = _Scope(source.manifests, changes).choose(touched)
        try:
            planned = self._plan_scope(source, scope, touched)
        except ProvisioningError:
            return None  # the plan of everything reports it in the words that fit everything
        plan, others = planned.plan, scope.keys() - touched
        if plan.blocked or not others.issubset(plan.unchanged):
            return None
        seen = touched | scope.keys()
        rest = (name for name in cache.settled if name not in seen)
        base = replace(
            cache, records=records.id, recorded=cache.recorded + moved.growth, files=changes.files
        )
        planned = replace(
            planned,
            plan=replace(plan, unchanged=tuple(sorted([*rest, *plan.unchanged]))),
            desired_count=count_desired(changes.files),
            recorded_count=base.recorded,
        )
        if base != cache and not plan.changes:
            cache_update = self._build_cache_update(base, seen, scope.values())
            cache_update.save(planned.recorded, planned.plan)
        return planned

    def _plan_scope(
        self, source: _Source, scope: Mapping[ResourceId, Resource], touched: Iterable[ResourceId]
    ) -> PlanResult:
        origins = (item.moved_from for item in scope.values() if item.moved_from)
        found = {name: source.records.get(name) for name in {*scope, *touched, *origins}}
        known = {name: record for name, record in found.items() if record is not None}
        return self._plan(source, scope.values(), source.build_recorded(known, ()))

    def _build_cache_update(
        self, base: PlanCache, seen: Collection[ResourceId], resources: Iterable[Resource]
    ) -> CacheUpdate:
        kinds, path = self.context.kinds, self.plan_cache
        return CacheUpdate(base=base, seen=seen, resources=tuple(resources), kinds=kinds, path=path)


class _ManifestChanges(msgspec.Struct, frozen=True):
    """The manifests that differ from the cached ones, and the resources in them."""

    files: dict[str, CachedFile]
    gone: set[ResourceId]
    found: dict[ResourceId, Resource]
    count: int

    @classmethod
    def read(cls, manifests: Mapping[str, Manifest], cache: PlanCache) -> _ManifestChanges:
        files: dict[str, CachedFile] = {}
        found: dict[ResourceId, Resource] = {}
        gone: set[ResourceId] = set()
        count = 0
        for path, manifest in manifests.items():
            old = cache.files.get(path)
            if old is not None and old.blob == manifest.blob:
                files[path] = old
                continue
            gone.update(old.ids if old else ())
            resources = tuple(manifest.read())
            files[path] = settle_file(manifest.blob, resources)
            found.update((resource.id, resource) for resource in resources)
            count += len(resources)
        for path in cache.files.keys() - manifests.keys():
            gone.update(cache.files[path].ids)
        return cls(files, gone, found, count)

    def has_twins(self, cache: PlanCache) -> bool:
        """Tell whether anything is defined twice."""
        if self.count != len(self.found):
            return True
        new = self.found.keys() - self.gone
        old = (*cache.settled, *cache.unsettled) if new else ()
        if new.isdisjoint(old):
            return False
        names = [name for file in self.files.values() for name in file.ids if name in new]
        return len(names) != len(new)


@dataclass(slots=True)
class _Scope:
    """Chooses the resources without which those that are touched cannot be planned."""

    manifests: Mapping[str, Manifest]
    changes: _ManifestChanges
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
        if name in self.changes.found:
            return self.changes.found[name]
        if name in self.changes.gone:
            return None
        if not self._paths:
            self._paths = {
                item: path for path, file in self.changes.files.items() for item in file.ids
            }
        if name not in self._read and name in self._paths:
            manifest = self.manifests[self._paths[name]]
            self._read.update((item.id, item) for item in manifest.read())
        return self._read.get(name)

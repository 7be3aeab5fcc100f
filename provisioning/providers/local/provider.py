"""The local provider: hands each call to what serves its kind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from provisioning.core.model.errors import ProviderError
from provisioning.core.model.ids import ResourceId
from provisioning.core.model.kinds import Kind
from provisioning.core.model.providers import (
    Absent,
    Call,
    FoundResource,
    Observation,
    ObservationTarget,
    Observed,
    Present,
    ProbeReady,
    ProbeWaiting,
)
from provisioning.core.model.values import Tree
from provisioning.providers.local.kinds import (
    DIRECTORY,
    FILE,
    KINDS,
    NAME,
    PROCESS,
    READY_SECONDS,
    VALUE,
)

if TYPE_CHECKING:
    from provisioning.providers.local.files.roots import Roots
    from provisioning.providers.local.processes.process import Processes
    from provisioning.providers.local.watch import LocalWatch


class Served(Protocol):
    """What serves one kind."""

    def observe(self, owner: str, targets: Sequence[ObservationTarget]) -> Observed:
        """See `Provider.observe`."""

    def create(self, call: Call) -> Mapping[str, Tree]:
        """See `Provider.create`."""

    def update(self, call: Call) -> Mapping[str, Tree]:
        """See `Provider.update`."""

    def delete(self, call: Call) -> None:
        """See `Provider.delete`."""


class _Parts(msgspec.Struct, frozen=True):
    roots: Roots
    processes: Processes
    served: Mapping[str, Served]


class LocalProvider:
    """Serves `File`, `Directory`, `Process` and `Value` on this machine. Linux only.

    Args:
        root: The folder that relative paths start from; made when it is first needed.
        home: Where processes' logs (`services/logs`) and exit statuses (`services/state`) go.
        allow: Further folders below which absolute paths may lie.
    """

    name = NAME

    def __init__(self, root: Path, home: Path, allow: Sequence[Path] = ()) -> None:
        self._root, self._home, self._allow = root, home, allow
        self._loading = threading.Lock()
        self._loaded: _Parts | None = None

    @property
    def _parts(self) -> _Parts:
        """What serves the kinds: loaded when it is first needed, once for all threads."""
        with self._loading:
            if self._loaded is None:
                self._loaded = self._load()
            return self._loaded

    def _load(self) -> _Parts:
        from provisioning.providers.local.files.directory import DirectoryForm
        from provisioning.providers.local.files.file import FileForm
        from provisioning.providers.local.files.path_resource import PathResource
        from provisioning.providers.local.files.roots import Roots
        from provisioning.providers.local.processes.process import Processes
        from provisioning.providers.local.values import Values

        roots, making = Roots(self._root, self._allow), threading.Lock()
        processes = Processes(roots, self._home)
        served: Mapping[str, Served] = {
            FILE.name: PathResource(roots, FileForm(), making),
            DIRECTORY.name: PathResource(roots, DirectoryForm(making), making),
            PROCESS.name: processes,
            VALUE.name: Values(),
        }
        return _Parts(roots, processes, served)

    def describe(self) -> Sequence[Kind]:
        """Return the four kinds."""
        return KINDS

    def observe(self, owner: str, targets: Sequence[ObservationTarget]) -> Observed:
        """Look at *targets*, kind by kind; strays are processes, for only they can be listed."""
        answers: list[Observation] = [Absent()] * len(targets)
        strays: dict[ResourceId, Present] = {}
        for kind, served in self._parts.served.items():
            places = [place for place, target in enumerate(targets) if target.kind == kind]
            observed = served.observe(owner, [targets[place] for place in places])
            strays.update(observed.strays)
            for place, answer in zip(places, observed.answers, strict=True):
                answers[place] = answer
        return Observed(answers=answers, strays=strays)

    def survey(self, owner: str) -> list[FoundResource]:
        """Return every process, file and directory below the roots that bears a mark of *owner*."""
        found = [
            FoundResource(
                id=name, kind=PROCESS.name, place=f"process {seen.attributes['pid']}", seen=seen
            )
            for name, seen in self._parts.processes.observe(owner, []).strays.items()
        ]
        from provisioning.providers.local.files.discovery import find_marked

        for place in find_marked(self._parts.roots.list_all(), owner):
            kind = str(place.mark.resource).partition("/")[0]
            served = self._parts.served.get(kind)
            if served is None:
                continue
            target = ObservationTarget(
                id=place.mark.resource, kind=kind, attributes={"path": place.path}
            )
            (seen,) = served.observe(owner, [target]).answers
            if isinstance(seen, Present) and seen.mark == place.mark:
                found.append(
                    FoundResource(id=place.mark.resource, kind=kind, place=place.path, seen=seen)
                )
        return found

    def diagnose(self) -> list[tuple[str, str]]:
        """Tell which roots cannot be used, and which have no room for marks in attributes."""
        from provisioning.providers.local.files.discovery import diagnose_root

        found = (diagnose_root(root) for root, _ in self._parts.roots.list_all())
        return [item for item in found if item]

    def create(self, call: Call) -> Mapping[str, Tree]:
        """Make it, marked."""
        return self._get(call.kind).create(call)

    def update(self, call: Call) -> Mapping[str, Tree]:
        """Bring it to the spec, whatever is there now; what is gone is made again."""
        return self._get(call.kind).update(call)

    def delete(self, call: Call) -> None:
        """Remove it if it bears its owner's mark. A directory must be empty."""
        self._get(call.kind).delete(call)

    def close(self) -> None:
        """Let go of nothing: processes go on, and nothing is held open between calls."""

    def probe(self, kind: str, attributes: Mapping[str, Tree]) -> ProbeReady | ProbeWaiting:
        """Tell whether a process serves; anything else does as soon as it is there."""
        return self._parts.processes.probe(attributes) if kind == PROCESS.name else ProbeReady()

    def get_probe_timeout(self, kind: str, attributes: Mapping[str, Tree]) -> float:
        """Return the `timeout` of a process that has a `ready`."""
        if kind != PROCESS.name or not attributes.get("ready"):
            return 0.0
        return float(attributes.get("timeout", READY_SECONDS))

    def open_watch(self, notify: Callable[[str], None]) -> LocalWatch:
        """Watch files and directories by inotify(7), and processes by pidfd_open(2)."""
        from provisioning.providers.local.watch import LocalWatch

        return LocalWatch(self._parts.roots, notify)

    def _get(self, kind: str) -> Served:
        if kind not in self._parts.served:
            raise ProviderError(f"the provider {NAME} has no kind {kind}")
        return self._parts.served[kind]

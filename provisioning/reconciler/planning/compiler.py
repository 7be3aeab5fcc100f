"""Turns the manifests of one commit into resources, reading only blobs that are new."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import msgspec

from provisioning import __version__
from provisioning.core.expressions.interpolation import Reference, parse_text
from provisioning.core.expressions.references import Lookup, know_nothing
from provisioning.core.manifests.desired_state import raise_problems
from provisioning.core.model.errors import (
    InvalidArgument,
    InvalidManifest,
    InvalidWorkspace,
    ProvisioningError,
    Source,
)
from provisioning.core.model.ids import NAME, BlobId, CommitId
from provisioning.core.model.kinds import Kind, get_kind
from provisioning.core.model.resources import Resource
from provisioning.core.model.sensitive import has_secret
from provisioning.core.model.states import DesiredState
from provisioning.core.model.values import Digest, Tree, compute_digest, find_nearest
from provisioning.localstore.manifest_cache import (
    CompiledFile,
    ManifestSnapshot,
    load_snapshot,
    pack_file,
)
from provisioning.localstore.plan_cache import save_cache

if TYPE_CHECKING:
    from provisioning.gitstore.objects.commits import FileChange
    from provisioning.gitstore.repository.repository import Repository

NOWHERE = Source("", 0)

SUFFIXES = frozenset({".yaml", ".yml", ".toml", ".json"})

NOT_MANIFESTS = frozenset({"files", "templates"})
"""Folders of an infra whose files are material for resources, not manifests."""


class CompiledManifest(msgspec.Struct, frozen=True):
    """One manifest of an infra, by its path there; its resources are read when asked for."""

    path: str
    file: CompiledFile
    infra: str
    compiler: Compiler
    lookup: Lookup

    @property
    def blob(self) -> BlobId:
        """What it is in Git, and under which settings: equal ids, equal manifests."""
        return self.file.identity

    def read(self) -> tuple[Resource, ...]:
        """Return its resources; a damaged cache entry is compiled anew."""
        cached = self.file.unpack()
        if cached is not None:
            return cached
        return self.compiler.compile_file(self.path, self.file.blob, self.infra, self.lookup)


class Compiler:
    """Compiles the manifests of a workspace.

    *cache* is a folder that may vanish at any time; *prefix* is the workspace's folder within
    the repository, "" or ending with a slash. *build_lookup* joins what answers the settings of
    an infra at a commit, which `when` and `forEach` name.
    """

    def __init__(
        self,
        repository: Repository,
        kinds: Mapping[str, Kind],
        cache: Path,
        *,
        prefix: str = "",
        build_lookup: Callable[[CommitId, str], Lookup] = lambda *_: know_nothing,
    ) -> None:
        self._prefix = prefix
        self._build_lookup = build_lookup
        self._repository = repository
        self._kinds = kinds
        self._cache = cache
        known = sorted(kind.version for kind in kinds.values())
        self._version = compute_digest([__version__, known])

    def list_infras(self, commit: CommitId) -> list[str]:
        """Return the names of the infras at *commit*, sorted."""
        entries = self._repository.read_folder(commit, f"{self._prefix}infra")
        return sorted(entry.name for entry in entries if entry.is_folder and NAME.match(entry.name))

    def compile(self, commit: CommitId, infra: str) -> list[Resource]:
        """Return the resources that the manifests of *infra* at *commit* ask for.

        Raises:
            InvalidArgument: If there is no such infra.
            InvalidManifest: If one thing is wrong with the manifests.
            InvalidWorkspace: If several things are.
        """
        manifests = self.read_manifests(commit, infra).values()
        return [it for manifest in manifests for it in manifest.read() if it.removed is None]

    def list_claims(self, commit: CommitId, infra: str) -> list[Resource]:
        """Return what *infra* asks for at *commit* that comes from another one; see `compile`."""
        manifests = self.read_manifests(commit, infra).values()
        claiming = (manifest.read() for manifest in manifests if manifest.file.claims)
        return [resource for found in claiming for resource in found if resource.moved_infra]

    def read_manifests(self, commit: CommitId, infra: str) -> dict[str, CompiledManifest]:
        """Compile the new manifests of *infra* at *commit*; return all by path. See `compile`."""
        tree = self._repository.find_id(commit, f"{self._prefix}infra/{infra}")
        path = self._cache / f"{infra}.msgpack"
        old = load_snapshot(path, self._version)
        lookup = self._build_lookup(commit, infra)
        files = old.files
        stale = {name: file.blob for name, file in files.items() if _is_stale(file, lookup)}
        if tree != old.tree or stale:
            files = self._compile_changes(old, tree, stale, infra, lookup)
            save_cache(path, ManifestSnapshot(self._version, tree or "", files))
        return {
            name: CompiledManifest(name, file, infra, self, lookup) for name, file in files.items()
        }

    def check_infra(self, commit: CommitId, infra: str) -> None:
        """Make sure that *infra* exists at *commit*.

        Raises:
            InvalidArgument: If it does not.
        """
        known = self.list_infras(commit)
        if infra in known:
            return
        nearest = find_nearest(infra, known)
        hint = f"there are: {', '.join(known) or 'none'}; is infra/{infra} committed?"
        raise InvalidArgument(
            f"there is no infra {infra!r} at commit {commit[:10]}",
            hint=f"did you mean {nearest!r}?" if nearest else hint,
        )

    def _compile_changes(
        self,
        old: ManifestSnapshot,
        tree: str | None,
        stale: dict[str, BlobId],
        infra: str,
        lookup: Lookup,
    ) -> dict[str, CompiledFile]:
        files, blobs = dict(old.files), dict(stale)
        for change in self._walk_changes(old.tree or None, tree, infra):
            files.pop(change.path, None)
            blobs.pop(change.path, None)
            if change.after is not None and is_manifest(change.path):
                blobs[change.path] = change.after
        problems: list[ProvisioningError] = []
        for path, blob in blobs.items():
            try:
                files[path] = self._compile_file(path, blob, infra, lookup)
            except InvalidWorkspace as exc:
                problems += exc.problems
            except ProvisioningError as exc:
                problems.append(exc)
        raise_problems(problems)
        return files

    def _walk_changes(
        self, before: str | None, after: str | None, infra: str
    ) -> Iterator[FileChange]:
        try:
            yield from self._repository.walk_changes(before, after)
        except InvalidManifest as exc:
            below = exc.source.file if exc.source else ""
            source = Source(f"infra/{infra}/{below}", 1)
            raise InvalidManifest(exc.message, hint=exc.hint, source=source) from exc

    def _compile_file(self, path: str, blob: BlobId, infra: str, lookup: Lookup) -> CompiledFile:
        reads: dict[str, Digest] = {}

        def look_up(reference: Reference, source: Source) -> Tree:
            value = lookup(reference, source)
            if not has_secret(value):
                reads[str(reference)] = compute_digest(value)
            return value

        return pack_file(blob, self.compile_file(path, blob, infra, look_up), reads)

    def compile_file(
        self, path: str, blob: BlobId, infra: str, lookup: Lookup
    ) -> tuple[Resource, ...]:
        """Return the resources of the manifest *blob*, which stands at *path* of *infra*."""
        from provisioning.core.manifests.compilation import compile_manifest

        file = f"infra/{infra}/{path}"
        data = self._repository.read_blob(blob, file)
        return compile_manifest(data, file, self._kinds, lookup)

    def compile_text(self, data: bytes, path: str, commit: CommitId) -> tuple[Resource, ...]:
        """Return what *data* asks for, as if it stood at *path* of the workspace at *commit*."""
        from provisioning.core.manifests.compilation import compile_manifest

        infra = PurePosixPath(path).parts[1]
        found = compile_manifest(data, path, self._kinds, self._build_lookup(commit, infra))
        return tuple(item for item in found if item.removed is None)

    def read_files(self, commit: CommitId, desired: DesiredState) -> dict[str, bytes]:
        """Return the workspace files that the specs of *desired* name.

        Raises:
            InvalidManifest: If one of them does not exist.
        """
        files: dict[str, bytes] = {}
        for resource in desired.resources.values():
            kind = get_kind(self._kinds, resource)
            for place, path in kind.find_files(resource.spec):
                if path not in files:
                    files[path] = self._read_file(commit, resource, str(place[0]), path)
        return files

    def _read_file(self, commit: CommitId, resource: Resource, field: str, path: str) -> bytes:
        data: bytes | None = self._repository.read_file(commit, self._prefix + path)
        if data is None:
            line = resource.lines.get(field, resource.source.line)
            raise InvalidManifest(
                f"{resource.id} names the file {path!r}, which is not in commit {commit[:10]}",
                hint="give its path from the workspace's root, and commit it",
                source=Source(resource.source.file, line),
            )
        return data


def _is_stale(file: CompiledFile, lookup: Lookup) -> bool:
    """Tell whether a setting that decided what is in *file* is another one now."""
    for name, digest in file.reads.items():
        (reference,) = parse_text(f"{{{{{name}}}}}")
        assert isinstance(reference, Reference)  # noqa: S101  only references are saved
        try:
            value = lookup(reference, NOWHERE)
        except ProvisioningError:  # compiling it again reports where
            return True
        if has_secret(value) or compute_digest(value) != digest:
            return True
    return False


def is_manifest(path: str) -> bool:
    """Tell whether the file at *path*, relative to its infra, is a manifest."""
    parts = PurePosixPath(path)
    if parts.suffix not in SUFFIXES or ".enc" in parts.suffixes or path == "config.toml":
        return False
    return not NOT_MANIFESTS.intersection(parts.parts[:-1])

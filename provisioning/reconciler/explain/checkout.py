"""One commit of the workspace: its resources, settings, files, and authors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec

from provisioning.config.provenance import Layers
from provisioning.core.manifests.compilation import MANIFEST_SUFFIXES, parse_manifest
from provisioning.core.model.errors import Source
from provisioning.core.model.ids import CommitId, ResourceId
from provisioning.core.model.kinds import Kind, get_kind
from provisioning.core.model.resources import Resource
from provisioning.core.model.values import Path
from provisioning.core.status.provenance import Authorship
from provisioning.gitstore.repository.blame import find_file_commit, find_line_commit
from provisioning.reconciler.planning.compiler import Compiler

if TYPE_CHECKING:
    from provisioning.gitstore.objects.commits import Commit
    from provisioning.gitstore.repository.repository import Repository


class Checkout(msgspec.Struct, frozen=True, kw_only=True):
    """The workspace at *commit*; everything is read on demand.

    *prefix* is the workspace's folder in the repository, "" or ending with a slash; *load_layers*
    loads the settings at the commit, with the layer of an infra.
    """

    repository: Repository
    prefix: str
    commit: CommitId
    compiler: Compiler
    kinds: Mapping[str, Kind]
    load_layers: Callable[[str], Layers]
    _compiled: dict[str, Mapping[ResourceId, Resource]] = msgspec.field(default_factory=dict)

    def list_infras(self) -> list[str]:
        """Return the names of its infras, sorted."""
        return self.compiler.list_infras(self.commit)

    def read_resources(self, infra: str) -> Mapping[ResourceId, Resource]:
        """Return the resources of *infra* as written, with their interpolations."""
        if infra not in self._compiled:
            found = self.compiler.compile(self.commit, infra)
            self._compiled[infra] = {resource.id: resource for resource in found}
        return self._compiled[infra]

    def compile(self, data: bytes, path: str) -> tuple[Resource, ...]:
        """Return the resources of *data*, as if it were the manifest at *path*."""
        return self.compiler.compile_text(data, path, self.commit)

    def list_named_files(self, infra: str) -> set[str]:
        """Return the workspace files that the specs of *infra* name."""
        return {
            path
            for resource in self.read_resources(infra).values()
            for path in get_kind(self.kinds, resource).get_file_paths(resource.spec)
        }

    def read_file(self, path: str) -> bytes | None:
        """Return the file at *path*, relative to the workspace; None if there is none."""
        return self.repository.read_file(self.commit, self.prefix + path)

    def find_secret_file(self, infra: str, name: str) -> tuple[str, bytes] | None:
        """Return the path and the content of the file of secrets *name* that *infra* reads."""
        from provisioning.secrets.files import find_file, list_folders

        return find_file(name, list_folders(infra), self.read_file)

    def list_names(self, folder: str) -> list[str]:
        """Return the names in *folder*, relative to the workspace."""
        entries = self.repository.read_folder(self.commit, self.prefix + folder)
        return [entry.name for entry in entries]

    def find_line(self, resource: Resource, path: Path) -> Source:
        """Return the place of *path*, from the top of the manifest of *resource*."""
        file = resource.source.file
        data = self.read_file(file) if file.endswith(MANIFEST_SUFFIXES) else None
        for document in parse_manifest(data, file) if data is not None else ():
            if document.get_line(()) == resource.source.line:
                return Source(file, document.get_line(path))
        return resource.source

    def find_author(self, source: Source) -> Authorship | None:
        """Return the commit that wrote the line at *source*; None if there is none."""
        path = self.prefix + source.file
        return _describe(find_line_commit(self.repository, self.commit, path, source.line))

    def find_last_author(self, file: str) -> Authorship | None:
        """Return the commit that last changed *file*; None if there is none."""
        return _describe(find_file_commit(self.repository, self.commit, self.prefix + file))


def _describe(commit: Commit | None) -> Authorship | None:
    if commit is None:
        return None
    return Authorship(
        commit=commit.id, author=commit.author, time=commit.time, subject=commit.subject
    )

"""Builds the value resolvers for interpolations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from typing import TYPE_CHECKING

from provisioning.config.layers import Layers
from provisioning.config.scope import Scope
from provisioning.core.expressions.interpolation import Reference
from provisioning.core.expressions.references import KnownValues, Lookup
from provisioning.core.model.errors import Source
from provisioning.core.model.ids import CommitId
from provisioning.core.model.sensitive import Secret
from provisioning.core.model.values import Tree

if TYPE_CHECKING:
    from provisioning.application.workspace.workspace import Workspace
    from provisioning.secrets.values import SecretFiles


@dataclass(slots=True)
class Resolvers:
    """Builds the value resolvers of one opened workspace.

    It keeps what the state log of each infra records at a head, so that nothing is read twice.
    """

    _known: dict[str, tuple[CommitId | None, dict[str, KnownValues]]] = field(default_factory=dict)

    def build_scope(
        self, workspace: Workspace, layers: Layers, commit: CommitId, infra: str
    ) -> Scope:
        """Build the value resolver for the interpolations of *infra* at *commit*."""
        now, settings = datetime.now(UTC), workspace.settings
        return Scope(
            layers=layers,
            environ=settings.environ,
            hide=partial(_hide, workspace),
            facts={
                "paths": {
                    "base": str(settings.root),
                    "home": str(settings.home.path),
                    "infra": str(settings.root / "infra" / infra),
                },
                "now": {"date": now.date().isoformat(), "time": now.time().isoformat("seconds")},
                "git": {"branch": settings.branch, "commit": commit},
            },
            read_known_values=lambda other: self._read_known_values(workspace, other),
            read_secret=_build_secret_lookup(workspace, commit, infra),
        )

    def build_lookup(
        self, workspace: Workspace, commit: CommitId, infra: str, base: CommitId | None
    ) -> Lookup:
        """Build the same resolver, joined when the first value is asked for."""

        def join() -> Scope:
            layers = workspace.commits.load_layers(commit, infra, base)
            return self.build_scope(workspace, layers, commit, infra)

        return _defer(join)

    def _read_known_values(self, workspace: Workspace, infra: str) -> dict[str, KnownValues]:
        """Return what the state log of *infra* recorded, for references from another one."""
        log = workspace.logs.build(infra)
        view = log.read_local()
        known = self._known.get(infra)
        if known is None or known[0] != view.head:
            records = log.read_records(view).values()
            found: dict[str, KnownValues] = {
                record.id: KnownValues(record.id, {**record.spec, **record.attributes})
                for record in records
            }
            known = self._known[infra] = view.head, found
        return known[1]


def _hide(workspace: Workspace, text: str) -> Secret:
    """Return *text* as a secret that the workspace's messages do not repeat."""
    workspace.redactor.add(text)
    return Secret(text)


def _defer(join: Callable[[], Callable[..., Tree]]) -> Callable[..., Tree]:
    """Return the resolver of *join*, which is called when the first value is asked for."""
    joined = cache(join)

    def resolve(*arguments: object) -> Tree:
        return joined()(*arguments)

    return resolve


def _build_secret_lookup(
    workspace: Workspace, commit: CommitId, infra: str
) -> Callable[[Reference, Source | None], Tree]:
    return _defer(lambda: _build_secrets(workspace, commit, infra))


def _build_secrets(workspace: Workspace, commit: CommitId, infra: str) -> SecretFiles:
    from provisioning.secrets.files import list_folders
    from provisioning.secrets.values import SecretFiles
    from sops_python.keys.keyring import EnvironmentKeyring

    repository, prefix = workspace.commits.repository, workspace.commits.prefix

    def read(path: str) -> bytes | None:
        return repository.read_file(commit, prefix + path)

    def list_names(folder: str) -> list[str]:
        return [item.name for item in repository.read_folder(commit, prefix + folder)]

    return SecretFiles(
        folders=list_folders(infra),
        read=read,
        list_names=list_names,
        keyring=EnvironmentKeyring(environ=workspace.settings.environ),
        redactor=workspace.redactor,
    )

"""Joins what the interpolations of an infra are answered with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from provisioning.config.layers import Layers
from provisioning.config.scope import Scope
from provisioning.core.expressions.interpolation import Reference
from provisioning.core.expressions.references import KnownValues, Lookup
from provisioning.core.model.errors import Source
from provisioning.core.model.ids import CommitId
from provisioning.core.model.values import Tree

if TYPE_CHECKING:
    from provisioning.bootstrap.workspace import Workspace
    from provisioning.secrets.values import SecretFiles

KnownValuesByInfra = dict[str, tuple[CommitId | None, dict[str, KnownValues]]]
"""What the state log of each infra recorded at a head; what is read once is not read again."""


def build_scope(workspace: Workspace, layers: Layers, commit: CommitId, infra: str) -> Scope:
    """Join what answers the interpolations of *infra* at *commit*."""
    now = datetime.now(UTC)
    return Scope(
        layers=layers,
        environ=workspace.environ,
        facts={
            "paths": {
                "base": str(workspace.root),
                "home": str(workspace.home.path),
                "infra": str(workspace.root / "infra" / infra),
            },
            "now": {"date": now.date().isoformat(), "time": now.time().isoformat("seconds")},
            "git": {"branch": workspace.branch, "commit": commit},
        },
        read_outlooks=lambda other: _read_outlooks(workspace, other),
        read_secret=_build_lookup(workspace, commit, infra),
    )


def build_lookup(workspace: Workspace, commit: CommitId, infra: str) -> Lookup:
    """Build what answers the interpolations of *infra* at *commit*, joined when the first comes."""
    scopes: list[Scope] = []

    def look_up(reference: Reference, source: Source) -> Tree:
        if not scopes:
            layers = workspace.load_layers(commit, infra)
            scopes.append(build_scope(workspace, layers, commit, infra))
        return scopes[0](reference, source)

    return look_up


def _read_outlooks(workspace: Workspace, infra: str) -> dict[str, KnownValues]:
    """Return what the state log of *infra* recorded, for references from another one."""
    log = workspace.build_log(infra)
    view = log.read_local()
    known = workspace.known_values_by_infra.get(infra)
    if known is None or known[0] != view.head:
        records = log.read_records(view).values()
        found: dict[str, KnownValues] = {
            record.id: KnownValues(record.id, {**record.spec, **record.attributes})
            for record in records
        }
        known = workspace.known_values_by_infra[infra] = view.head, found
    return known[1]


def _build_lookup(
    workspace: Workspace, commit: CommitId, infra: str
) -> Callable[[Reference, Source | None], Tree]:
    """Build what answers `secrets`; nothing of them is loaded before one is asked for."""
    files: list[SecretFiles] = []

    def read(reference: Reference, source: Source | None) -> Tree:
        if not files:
            files.append(_build_secrets(workspace, commit, infra))
        return files[0](reference, source)

    return read


def _build_secrets(workspace: Workspace, commit: CommitId, infra: str) -> SecretFiles:
    from provisioning.secrets.files import list_folders
    from provisioning.secrets.values import SecretFiles
    from sops_python.keys.keyring import EnvironmentKeyring

    repository, prefix = workspace.repository, workspace.prefix

    def read(path: str) -> bytes | None:
        return repository.read_file(commit, prefix + path)

    def list_names(folder: str) -> list[str]:
        return [item.name for item in repository.read_folder(commit, prefix + folder)]

    return SecretFiles(
        folders=list_folders(infra),
        read=read,
        list_names=list_names,
        keyring=EnvironmentKeyring(environ=workspace.environ),
        redactor=workspace.redactor,
    )

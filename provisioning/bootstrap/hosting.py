"""Joins where a workspace is: its settings, its repository, its remote and its forge."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from provisioning.config.home import Home
from provisioning.config.layers import WORKSPACE_FILE, Layers, load_layers
from provisioning.core.model.errors import InvalidConfiguration, RepositoryUnusable, Source
from provisioning.core.model.ids import CommitId
from provisioning.core.model.providers import Provider
from provisioning.core.model.redaction import Redactor
from provisioning.core.policy.review_records import REVIEWS
from provisioning.core.reviews.drift_pulls import DRIFT_REFS
from provisioning.core.statelog.transitions import OURS
from provisioning.gitstore.repository.repository import Repository, open_repository

if TYPE_CHECKING:
    from provisioning.core.reviews.forge import Token
    from provisioning.forges.registry import ForgeRepository
    from provisioning.forges.tokens import TokenFile
    from provisioning.gitstore.repository.remote import Exchange, Remote


class SharedState(msgspec.Struct, frozen=True):
    """What outlives one opening of a workspace: providers know their children, pools stay open."""

    redactor: Redactor = msgspec.field(default_factory=Redactor)
    providers: dict[tuple[str, str], Provider] = msgspec.field(default_factory=dict)
    forges: dict[tuple[str, ...], ForgeRepository] = msgspec.field(default_factory=dict)
    listener: Callable[[Exchange], None] | None = None

    def close(self) -> None:
        """Close every provider, and every connection to a forge."""
        for provider in self.providers.values():
            provider.close()
        for forge in self.forges.values():
            forge.close()


@dataclass
class Hosted:
    """A workspace as it is hosted: its settings, its repository, its remote and its forge.

    Desired state and settings of a run come from the commit, never from the work tree; the
    work tree's `config/provisioning.yaml` only says where to look.
    """

    root: Path
    home: Home
    environ: Mapping[str, str] = field(repr=False)
    flags: Sequence[str]
    _layers: dict[tuple[CommitId | None, str | None], Layers] = field(default_factory=dict)
    lasting: SharedState = field(default_factory=SharedState)

    @property
    def redactor(self) -> Redactor:
        """Knows every secret that was read for this workspace."""
        return self.lasting.redactor

    @cached_property
    def layers(self) -> Layers:
        """The settings as the work tree has them."""
        return self._load(self.read_work_tree, None)

    def _load(self, read: object, infra: str | None) -> Layers:
        return load_layers(
            read,  # type: ignore[arg-type]
            home=self.home.path,
            infra=infra,
            environ=self.environ,
            flags=self.flags,
        )

    def read_work_tree(self, path: str) -> bytes | None:
        """Return the file at *path* as it lies in the work tree; None if there is none."""
        file = self.root / path
        return file.read_bytes() if file.is_file() else None

    def load_work_tree_layers(self, infra: str | None) -> Layers:
        """Load the settings of *infra* as the work tree has them."""
        return self._load(self.read_work_tree, infra)

    def load_layers(self, commit: CommitId, infra: str | None) -> Layers:
        """Load the settings of *infra* as *commit* has them."""
        key = (commit, infra)
        if key not in self._layers:
            self._layers[key] = self._load(
                lambda path: self.repository.read_file(commit, self.prefix + path), infra
            )
        return self._layers[key]

    @property
    def identifier(self) -> str:
        """The workspace's id.

        Raises:
            InvalidConfiguration: If it has none.
        """
        value = str(self.layers.get("workspace.id").value)
        if not value or "/" in value or "#" in value:
            raise InvalidConfiguration(
                f"workspace.id is {value!r}, and must be a name without / and #",
                hint="`provisioning workspace init` writes a new one; use an id nobody else has",
                source=Source(WORKSPACE_FILE, 1),
            )
        return value

    @property
    def branch(self) -> str:
        """The branch that desired state is read from."""
        return str(self.layers.get("branch").value)

    @property
    def poll_interval(self) -> float:
        """Seconds between two looks for news; a local branch is read each second."""
        return float(self.layers.get("serve.poll").value) if self.remote else 1.0

    @cached_property
    def remote(self) -> Remote | None:
        """The remote repository, if branch and state log are shared at one."""
        url = self.layers.get("remote").value
        token: str | Token = ""
        if not url and self.forge:
            url, token = self.forge.git_url, self._token
        if not url:
            return None
        from provisioning.gitstore.repository.remote import Remote, ignore_exchange

        is_relative = ":" not in str(url) and not str(url).startswith(("/", "-"))
        address = str((self.root / str(url)).resolve()) if is_relative else str(url)
        name = hashlib.sha256(address.encode()).hexdigest()[:32]
        folder, listener = self.home.mirrors / f"{name}.git", self.lasting.listener
        return Remote(address, folder, token=token, listener=listener or ignore_exchange)

    @cached_property
    def forge(self) -> ForgeRepository | None:
        """The repository at its forge, if the settings name one; nothing is sent to it yet."""
        kind = self.layers.get("forge.kind").value
        if kind is None:
            return None
        from provisioning.forges.registry import find_forge

        url, repository = self._read_forge("url"), self._read_forge("repository")
        forges, key = self.lasting.forges, (kind, url, repository, self._read_forge("token_file"))
        if key not in forges:
            forges[key] = find_forge(kind).open(url, repository, self._token)
        return forges[key]

    def _read_forge(self, key: str) -> str:
        value = self.layers.get(f"forge.{key}").value
        if not value:
            raise InvalidConfiguration(
                f"forge.kind is set, and forge.{key} is not",
                hint=f"set forge.{key} in {WORKSPACE_FILE}",
                source=self.layers.get("forge.kind").origin.source,
            )
        return str(value)

    @cached_property
    def _token(self) -> Token:
        """Reads the forge's token from its file."""
        return self.build_token_file("token_file").read

    def build_token_file(self, key: str) -> TokenFile:
        """Return the file that the setting `forge.`*key* names."""
        from provisioning.forges.tokens import TokenFile

        path = self.home.path / Path(self._read_forge(key)).expanduser()
        folders = (self.root, *self.root.parents)
        top = next((folder for folder in folders if (folder / ".git").exists()), self.root)
        return TokenFile(path, top, self.redactor, f"forge.{key}")

    @cached_property
    def repository(self) -> Repository:
        """Where commits are read: the mirror of the remote, or the workspace's own repository."""
        return self.remote.mirror if self.remote else open_repository(self.root)

    @cached_property
    def prefix(self) -> str:
        """The workspace's folder within its repository, "" or ending with a slash."""
        if self.remote:
            return ""
        work_tree = self.repository.work_tree
        if work_tree is None or work_tree == self.root:
            return ""
        return f"{self.root.relative_to(work_tree)}/"

    def read_commit(self) -> CommitId:
        """Return the newest desired state; with a remote, fetch it and all that runs wrote there.

        Raises:
            RepositoryUnusable: If the branch has no commit.
        """
        ref = f"refs/heads/{self.branch}"
        if self.remote:
            reviews = [f"{REVIEWS}*"] if self.forge else []
            self.remote.fetch(ref, f"{OURS}*", f"{DRIFT_REFS}*", *reviews)
        commit = self.repository.read_ref(ref)
        if commit is None:
            raise RepositoryUnusable(
                f"branch {self.branch!r} has no commit yet",
                hint="commit the workspace, or set `branch` in config/provisioning.yaml",
            )
        return commit

    def advance(self, commit: CommitId) -> None:
        """Move the branch forward to *commit*, on the remote if there is one.

        Raises:
            HeadMoved: If the branch is no longer what *commit* was made on.
            RepositoryUnusable: If changes in the work tree are in the way.
        """
        if self.remote:
            self.remote.publish(f"refs/heads/{self.branch}", commit)
            return
        from provisioning.gitstore.repository.revert import advance_branch

        advance_branch(self.repository, self.branch, commit)

    def is_superseded(self, commit: CommitId) -> bool:
        """Tell whether a newer desired state than *commit* is known here; asks no remote."""
        return self.repository.read_ref(f"refs/heads/{self.branch}") != commit

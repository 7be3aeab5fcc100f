"""The commits of a workspace: where they are read, fetched and published."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING

from provisioning.application.workspace.forge_access import ForgeAccess
from provisioning.application.workspace.shared_state import SharedState
from provisioning.application.workspace.workspace_settings import WorkspaceSettings
from provisioning.config.layers import Layers
from provisioning.core.model.errors import RepositoryUnusable
from provisioning.core.model.ids import CommitId
from provisioning.core.policy.review_records import REVIEWS
from provisioning.core.reviews.drift_pulls import DRIFT_REFS
from provisioning.core.statelog.transitions import OURS
from provisioning.gitstore.repository.repository import Repository, open_repository

if TYPE_CHECKING:
    from provisioning.core.reviews.forge import Token
    from provisioning.gitstore.repository.remote import Remote


@dataclass
class WorkspaceCommits:
    """The branch of a workspace, at its remote or in its own repository."""

    settings: WorkspaceSettings
    forge: ForgeAccess
    shared: SharedState
    _layers: dict[tuple[CommitId, str | None, CommitId | None], Layers] = field(
        default_factory=dict
    )

    @cached_property
    def remote(self) -> Remote | None:
        """The remote repository, if branch and state log are shared at one."""
        settings = self.settings
        url = settings.layers.get("remote").value
        token: str | Token = ""
        if not url and self.forge.repository:
            url, token = self.forge.repository.git_url, self.forge.token
        if not url:
            return None
        from provisioning.gitstore.repository.remote import Remote, ignore_exchange

        is_relative = ":" not in str(url) and not str(url).startswith(("/", "-"))
        address = str((settings.root / str(url)).resolve()) if is_relative else str(url)
        name = hashlib.sha256(address.encode()).hexdigest()[:32]
        folder, listener = settings.home.mirrors / f"{name}.git", self.shared.listener
        return Remote(address, folder, token=token, listener=listener or ignore_exchange)

    @cached_property
    def repository(self) -> Repository:
        """Where commits are read: the mirror of the remote, or the workspace's own repository."""
        return self.remote.mirror if self.remote else open_repository(self.settings.root)

    @cached_property
    def prefix(self) -> str:
        """The workspace's folder within its repository, "" or ending with a slash."""
        if self.remote:
            return ""
        work_tree = self.repository.work_tree
        if work_tree is None or work_tree == self.settings.root:
            return ""
        return f"{self.settings.root.relative_to(work_tree)}/"

    @property
    def poll_interval(self) -> float:
        """Seconds between two reads of the branch; a local branch is read each second."""
        return float(self.settings.layers.get("serve.poll").value) if self.remote else 1.0

    def fetch(self) -> CommitId:
        """Return the newest desired state; with a remote, fetch it and all that runs wrote there.

        Raises:
            RepositoryUnusable: If the branch has no commit.
        """
        branch = self.settings.branch
        ref = f"refs/heads/{branch}"
        if self.remote:
            reviews = [f"{REVIEWS}*"] if self.forge.repository else []
            self.remote.fetch(ref, f"{OURS}*", f"{DRIFT_REFS}*", *reviews)
        return self.read_base()

    def read_base(self) -> CommitId:
        """Return the newest commit of the branch that is here.

        Raises:
            RepositoryUnusable: If the branch has no commit.
        """
        branch = self.settings.branch
        commit = self.repository.read_ref(f"refs/heads/{branch}")
        if commit is None:
            raise RepositoryUnusable(
                f"branch {branch!r} has no commit yet",
                hint="commit the workspace, or set `branch` in config/provisioning.yaml",
            )
        return commit

    def advance(self, commit: CommitId) -> None:
        """Move the branch forward to *commit*, on the remote if there is one.

        Raises:
            HeadMoved: If the branch is no longer what *commit* was made on.
            RepositoryUnusable: If changes in the work tree are in the way.
        """
        branch = self.settings.branch
        if self.remote:
            self.remote.publish(f"refs/heads/{branch}", commit)
            return
        from provisioning.gitstore.repository.revert import advance_branch

        advance_branch(self.repository, branch, commit)

    def is_superseded(self, commit: CommitId) -> bool:
        """Tell whether a newer desired state than *commit* is known here; asks no remote."""
        return self.repository.read_ref(f"refs/heads/{self.settings.branch}") != commit

    def load_layers(
        self, commit: CommitId, infra: str | None, base: CommitId | None = None
    ) -> Layers:
        """Load the settings of *infra* as *commit* has them.

        If *commit* is only proposed to *base*, they are those of *base*, except for `values`.
        """
        key = (commit, infra, base)
        if key not in self._layers:
            read = partial(self._read, commit)
            self._layers[key] = (
                self.settings.load_proposed(partial(self._read, base), read, infra)
                if base
                else self.settings.load(read, infra)
            )
        return self._layers[key]

    def load_written_layers(self, commit: CommitId, infra: str) -> Layers:
        """Load the settings of *infra* as *commit*, which nobody may trust, writes them."""
        return self.settings.load_written(partial(self._read, commit), infra)

    def _read(self, commit: CommitId, path: str) -> bytes | None:
        return self.repository.read_file(commit, self.prefix + path)

    def has_drift_branches(self, infra: str) -> bool:
        """Tell whether a drift of *infra* has a branch at the remote, as it was fetched."""
        return bool(self.repository.list_refs(f"{DRIFT_REFS}{infra}/"))

    def describe_uncommitted(self) -> tuple[str, ...]:
        """Return what a reader of a plan may miss in it: changes that are not committed yet."""
        if self.remote:
            return (f"the plan is of {self.settings.branch} at {self.remote.shown}",)
        folders = ("infra", "config", "secrets")
        changed = self.repository.list_uncommitted(self.settings.root, folders)
        if not changed:
            return ()
        names = ", ".join(changed[:3]) + (" …" if len(changed) > 3 else "")  # noqa: PLR2004
        return (f"not committed, and so not in the plan: {names}",)

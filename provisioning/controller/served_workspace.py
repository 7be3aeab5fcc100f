"""One workspace of a service: what changed, and what links its infras."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec

from provisioning.application.runs.forge_updates import needs_drift_pull
from provisioning.application.workspace.commits import WorkspaceCommits
from provisioning.application.workspace.workspace import Workspace
from provisioning.config.layers import WORKSPACE_FILE, Layers
from provisioning.controller.schedule import DriftSchedule
from provisioning.core.infras.dependencies import FOREIGN, NO_LINKS, Links
from provisioning.core.infras.dependents import list_readers
from provisioning.core.infras.order import Needs, compute_needs
from provisioning.core.model.errors import (
    InvalidConfiguration,
    ProvisioningError,
    RepositoryUnusable,
)
from provisioning.core.model.ids import CommitId
from provisioning.core.statelog.transitions import LogView
from provisioning.gitstore.repository.revert import list_changed_paths
from provisioning.reconciler.planning.plan_result import Report

if TYPE_CHECKING:
    from provisioning.core.reviews.forge import Forge, PullRequest
    from provisioning.reconciler.reviews.reviewer import Reviewer


class ChangedInfras(msgspec.Struct, frozen=True):
    """The infras whose folders changed, and whether a file changed that any of them may read."""

    infras: frozenset[str]
    is_shared: bool


LINKS = (b"infra.", b"moved")
"""Words without which no file links its infra to another one; shared settings may, too."""


class Memory(msgspec.Struct, frozen=True):
    """The facts that outlive one opening, so that less is read again.

    `links` is, for each infra, the ids of its folder and of the shared settings, and what links
    it to others;
    `pulls` are the open pull requests as they were seen, each with the base branch's commit.
    """

    links: dict[str, tuple[str, Links]] = msgspec.field(default_factory=dict)
    pulls: dict[int, tuple[PullRequest, CommitId | None]] = msgspec.field(default_factory=dict)


class ServedWorkspace(msgspec.Struct, frozen=True):
    """A workspace of a service; its settings are those of when it was opened.

    Any thread may call.
    """

    opened: Workspace
    memory: Memory = msgspec.field(default_factory=Memory)

    @property
    def commits(self) -> WorkspaceCommits:
        """The commits of the workspace."""
        return self.opened.commits

    def find_touched(self, old: CommitId | None, new: CommitId) -> ChangedInfras:
        """Return what differs between two commits; without *old*, from the first parent."""
        if old is None:
            parents = self.commits.repository.read_commit(new).parents
            if not parents:
                return ChangedInfras(frozenset(self.opened.list_infras(new)), is_shared=True)
            old = parents[0]
        infras: set[str] = set()
        is_shared, prefix = False, self.commits.prefix
        for path in self._list_changed(old, new):
            parts = path.removeprefix(prefix).split("/")
            if path.startswith(prefix) and parts[0] == "infra" and len(parts) > 2:  # noqa: PLR2004
                infras.add(parts[1])
            elif path.startswith(prefix):
                is_shared = True
        return ChangedInfras(frozenset(infras), is_shared)

    def _list_changed(self, old: CommitId, new: CommitId) -> list[str]:
        try:
            return list_changed_paths(self.commits.repository, old, new)
        except RepositoryUnusable:  # the old one is gone: the branch was written anew
            return [f"{self.commits.prefix}{WORKSPACE_FILE}"]

    def read_needs(self, commit: CommitId, infras: Collection[str]) -> Needs:
        """Return which of *infras* refer to which; what did not change is not read again."""
        folders = self._list_folders(commit)
        shared = self.commits.repository.find_id(commit, f"{self.commits.prefix}config") or ""
        words = (*LINKS, b"config.") if self._do_settings_link(commit) else LINKS
        links = {
            infra: self._read_links(commit, infra, folders.get(infra, ""), shared, words)
            for infra in infras
        }
        for infra in self.memory.links.keys() - links.keys():
            del self.memory.links[infra]
        return compute_needs(links)

    def _do_settings_link(self, commit: CommitId) -> bool:
        """Tell whether a shared setting refers to an infra, so that any that names it may, too."""
        try:
            found = self.commits.load_layers(commit, None).list_references().values()
        except ProvisioningError:  # reported where they are needed
            return False
        return any(name.startswith(f"{FOREIGN}.") for names in found for name in names)

    def list_dependents(self, infra: str, before: LogView) -> list[str]:
        """Return the infras that read what *infra* recorded otherwise since *before*.

        Where that cannot be known, they are all that may read anything.
        """
        links = {name: found for name, (_, found) in list(self.memory.links.items())}
        try:
            log = self.opened.logs.build(infra)
            old, new = log.open_records(before), log.open_records(log.read_local())
            return list_readers(infra, links, old.get, new.get)
        except ProvisioningError:
            return [name for name, its in links.items() if its != NO_LINKS and name != infra]

    def _list_folders(self, commit: CommitId) -> dict[str, str]:
        entries = self.commits.repository.read_folder(commit, f"{self.commits.prefix}infra")
        return {entry.name: entry.id for entry in entries if entry.is_folder}

    def _read_links(
        self, commit: CommitId, infra: str, folder: str, shared: str, words: Sequence[bytes]
    ) -> Links:
        known, stamp = self.memory.links.get(infra), f"{folder} {shared}"
        if known is None or known[0] != stamp:
            is_perhaps = self._has_words(folder, words)
            try:
                found = self.opened.compute_links(commit, infra) if is_perhaps else NO_LINKS
            except ProvisioningError:  # its own cycle reports what is wrong with it
                self.memory.links.pop(infra, None)
                return NO_LINKS
            known = self.memory.links[infra] = stamp, found
        return known[1]

    def _has_words(self, folder: str, words: Sequence[bytes]) -> bool:
        """Tell whether any file below *folder* has one of *words*: most have none."""
        if not folder:
            return False
        files = self.commits.repository.walk_files(folder)
        texts = (self.commits.repository.read_blob(file.blob, file.path) for file in files)
        return any(word in text for text in texts for word in words)

    def read_drift_schedules(
        self, commit: CommitId, infras: Iterable[str]
    ) -> dict[str, DriftSchedule]:
        """Return the schedule of each of *infras*.

        Raises:
            InvalidConfiguration: If settings that hold for all of them are broken.
        """
        general = _build_drift_schedule(self.commits.load_layers(commit, None))
        own = {
            infra
            for infra, folder in self._list_folders(commit).items()
            if any(item.name == "config.toml" for item in self.commits.repository.read_tree(folder))
        }
        return {
            infra: self._read_drift_schedule(commit, infra, general) if infra in own else general
            for infra in infras
        }

    def _read_drift_schedule(
        self, commit: CommitId, infra: str, general: DriftSchedule
    ) -> DriftSchedule:
        try:
            return _build_drift_schedule(self.commits.load_layers(commit, infra))
        except InvalidConfiguration:  # its own cycle reports what is wrong with it
            return general

    def find_reviews(self) -> list[int]:
        """Return the open pull requests that changed since the last call; there must be a forge."""
        base = self.commits.repository.read_ref(f"refs/heads/{self.opened.settings.branch}")
        found = self.build_pulls().list_open_pulls()
        pulls = {pull.number: (pull, base) for pull in found}
        before = dict(self.memory.pulls)
        self.memory.pulls.clear()
        self.memory.pulls.update(pulls)
        return [number for number, seen in pulls.items() if before.get(number) != seen]

    def build_reviewer(self) -> Reviewer:
        """Join the reviewer of pull requests; there must be a forge."""
        return self.opened.builders.reviewer(self.opened)

    def build_pulls(self) -> Forge:
        """Join the forge's pull requests; there must be a forge."""
        return self.opened.forge.require("there are no pull requests").pulls

    @property
    def is_at_forge(self) -> bool:
        """True if a forge hosts it."""
        return self.opened.forge.repository is not None

    def publish_drift(self, report: Report) -> None:
        """Open or close the pull requests about drift that *report* asks for, at a forge."""
        if needs_drift_pull(self.opened, report.plan_result.plan):
            self.build_reviewer().drift_publisher.sync([report.plan_result])


def _build_drift_schedule(layers: Layers) -> DriftSchedule:
    cron = layers.get("serve.cron")
    return DriftSchedule(
        interval=float(layers.get("serve.resync").value),
        cron=None if cron.value is None else str(cron.value),
        zone=str(layers.get("serve.timezone").value),
        source=cron.origin.source,
    )

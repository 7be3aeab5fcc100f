"""Joins what the long-running service keeps its workspaces with."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from provisioning.bootstrap.hosting import SharedState
from provisioning.bootstrap.reviews import build_reviewer, is_drift_told
from provisioning.bootstrap.workspace import Workspace
from provisioning.config.home import find_home
from provisioning.config.layers import WORKSPACE_FILE, Layers
from provisioning.config.workspace import find_workspace
from provisioning.controller.controller import Controller
from provisioning.controller.events import EventSink, Exchanged
from provisioning.controller.schedule import DriftSchedule, Schedule
from provisioning.controller.worker_pool import WorkerPool
from provisioning.controller.workspace_controller import WorkspaceController
from provisioning.controller.workspace_state import ChangedInfras
from provisioning.core.infras.dependencies import FOREIGN, NO_LINKS, Links
from provisioning.core.infras.dependents import list_readers
from provisioning.core.infras.order import Needs, compute_needs
from provisioning.core.model.errors import (
    InvalidConfiguration,
    ProvisioningError,
    RepositoryUnusable,
)
from provisioning.core.model.ids import CommitId
from provisioning.core.model.redaction import Redactor
from provisioning.core.scheduling.workqueue import Urgency
from provisioning.core.statelog.transitions import LogView
from provisioning.gitstore.repository.remote import Exchange
from provisioning.gitstore.repository.revert import list_changed_paths
from provisioning.reconciler.execution.cancellation import Cancellation
from provisioning.reconciler.planning.plan_result import Report

if TYPE_CHECKING:
    from provisioning.core.reviews.forge import Forge, PullRequest
    from provisioning.reconciler.reviews.reviewer import Reviewer


LINKS = (b"infra.", b"moved")
"""Words without which no file links its infra to another one; shared settings may, too."""


class Memory(msgspec.Struct, frozen=True):
    """What is remembered from one opening to the next, only to spare looks.

    `links` is, for each infra, the ids of its folder and of the shared settings, and what links
    it to others;
    `pulls` are the open pull requests as they were seen, each with the base branch's commit.
    """

    links: dict[str, tuple[str, Links]] = msgspec.field(default_factory=dict)
    pulls: dict[int, tuple[PullRequest, CommitId | None]] = msgspec.field(default_factory=dict)


@dataclass
class ServedWorkspace(Workspace):
    """A workspace that a service keeps; its settings are those of when it was opened."""

    memory: Memory = field(default_factory=Memory)

    @property
    def worker_timeout(self) -> float:
        """Seconds without a heartbeat after which a worker counts as hung."""
        return float(self.layers.get("serve.timeout").value)

    def find_touched(self, old: CommitId | None, new: CommitId) -> ChangedInfras:
        """Return what differs between two commits; without *old*, from the first parent."""
        if old is None:
            parents = self.repository.read_commit(new).parents
            if not parents:
                return ChangedInfras(frozenset(self.list_infras(new)), is_shared=True)
            old = parents[0]
        infras: set[str] = set()
        is_shared = False
        for path in self._list_changed(old, new):
            if not path.startswith(self.prefix):
                continue
            below = path.removeprefix(self.prefix)
            parts = below.split("/")
            if parts[0] == "infra" and len(parts) > 2:  # noqa: PLR2004
                infras.add(parts[1])
            else:
                is_shared = True
        return ChangedInfras(frozenset(infras), is_shared)

    def _list_changed(self, old: CommitId, new: CommitId) -> list[str]:
        try:
            return list_changed_paths(self.repository, old, new)
        except RepositoryUnusable:  # the old one is gone: the branch was written anew
            return [f"{self.prefix}{WORKSPACE_FILE}"]

    def read_needs(self, commit: CommitId, infras: Collection[str]) -> Needs:
        """Return which of *infras* refer to which; what did not change is not read again."""
        folders = self._list_folders(commit)
        shared = self.repository.find_id(commit, f"{self.prefix}config") or ""
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
            found = self.load_layers(commit, None).list_references().values()
        except ProvisioningError:  # told where they are needed
            return False
        return any(name.startswith(f"{FOREIGN}.") for names in found for name in names)

    def list_dependents(self, infra: str, before: LogView) -> list[str]:
        """Return the infras that read what *infra* recorded otherwise since *before*.

        Where that cannot be known, they are all that may read anything.
        """
        links = {name: found for name, (_, found) in list(self.memory.links.items())}
        try:
            log = self.build_log(infra)
            old, new = log.open_records(before), log.open_records(log.read_local())
            return list_readers(infra, links, old.get, new.get)
        except ProvisioningError:
            return [name for name, its in links.items() if its != NO_LINKS and name != infra]

    def _list_folders(self, commit: CommitId) -> dict[str, str]:
        entries = self.repository.read_folder(commit, f"{self.prefix}infra")
        return {entry.name: entry.id for entry in entries if entry.is_folder}

    def _read_links(
        self, commit: CommitId, infra: str, folder: str, shared: str, words: Sequence[bytes]
    ) -> Links:
        known, stamp = self.memory.links.get(infra), f"{folder} {shared}"
        if known is None or known[0] != stamp:
            is_perhaps = self._has_words(folder, words)
            try:
                found = self.compute_links(commit, infra) if is_perhaps else NO_LINKS
            except ProvisioningError:  # its own cycle tells what is wrong with it
                self.memory.links.pop(infra, None)
                return NO_LINKS
            known = self.memory.links[infra] = stamp, found
        return known[1]

    def _has_words(self, folder: str, words: Sequence[bytes]) -> bool:
        """Tell whether any file below *folder* has one of *words*: most have none."""
        if not folder:
            return False
        files = self.repository.walk_files(folder)
        texts = (self.repository.read_blob(file.blob, file.path) for file in files)
        return any(word in text for text in texts for word in words)

    def read_drift_schedules(
        self, commit: CommitId, infras: Iterable[str]
    ) -> dict[str, DriftSchedule]:
        """Return the schedule of each of *infras*.

        Raises:
            InvalidConfiguration: If settings that hold for all of them are broken.
        """
        general = _build_drift_schedule(self.load_layers(commit, None))
        own = {
            infra
            for infra, folder in self._list_folders(commit).items()
            if any(item.name == "config.toml" for item in self.repository.read_tree(folder))
        }
        return {
            infra: self._read_drift_schedule(commit, infra, general) if infra in own else general
            for infra in infras
        }

    def _read_drift_schedule(
        self, commit: CommitId, infra: str, general: DriftSchedule
    ) -> DriftSchedule:
        try:
            return _build_drift_schedule(self.load_layers(commit, infra))
        except InvalidConfiguration:  # its own cycle tells what is wrong with it
            return general

    def find_reviews(self) -> list[int]:
        """Return the open pull requests that are not as they were when this was asked last."""
        if self.forge is None:
            return []
        base = self.repository.read_ref(f"refs/heads/{self.branch}")
        pulls = {pull.number: (pull, base) for pull in self.build_pulls().list_open_pulls()}
        before = dict(self.memory.pulls)
        self.memory.pulls.clear()
        self.memory.pulls.update(pulls)
        return [number for number, seen in pulls.items() if before.get(number) != seen]

    def build_reviewer(self) -> Reviewer:
        """Join what reviews pull requests."""
        return build_reviewer(self)

    @property
    def is_at_forge(self) -> bool:
        """Whether a forge hosts it."""
        return self.forge is not None

    def build_pulls(self) -> Forge:
        """Join the forge's pull requests; there must be one."""
        assert self.forge is not None  # noqa: S101  whoever asks has looked
        return self.forge.pulls

    def redact(self, text: str) -> str:
        """Return *text* without any secret that was read."""
        return self.redactor.redact(text)

    def read_hook_secret(self) -> str:
        """Return the secret by which webhooks are signed.

        Raises:
            InvalidConfiguration: If there is none.
        """
        return self.build_token_file("webhook_secret_file").read()

    def publish_drift(self, report: Report) -> None:
        """Open or close the pull requests about drift that *report* asks for."""
        if not is_drift_told(self, report.plan_result.plan):
            return
        from provisioning.reconciler.reviews.drift_pulls import build_infra_drift

        build_reviewer(self).drift_publisher.sync([build_infra_drift(report.plan_result)])


def _build_drift_schedule(layers: Layers) -> DriftSchedule:
    cron = layers.get("serve.cron")
    return DriftSchedule(
        interval=float(layers.get("serve.resync").value),
        cron=None if cron.value is None else str(cron.value),
        zone=str(layers.get("serve.timezone").value),
        source=cron.origin.source,
    )


def build_service(
    folders: Sequence[str], flags: Sequence[str], notify: EventSink, redactor: Redactor
) -> Controller:
    """Join a service that keeps the workspaces at *folders*.

    Raises:
        WorkspaceNotFound: If one of them is none.
        InvalidConfiguration: If the settings of the first one are broken.
    """
    roots = [find_workspace(Path(folder)) for folder in folders]
    stop = Cancellation()
    states = [_build_shared_state(notify, redactor) for _ in roots]
    openers = [_build_opener(root, flags, state) for root, state in zip(roots, states, strict=True)]
    first = openers[0]()
    worker_pool = WorkerPool(size=first.resync_width, timeout=first.worker_timeout, notify=notify)
    schedule = Schedule(lambda key: worker_pool.add(key, Urgency.RESYNC, "resync"))
    names = _name_all(roots)
    workspace_controllers = {
        name: WorkspaceController(name, opener, worker_pool, schedule, notify, stop)
        for name, opener in zip(names, openers, strict=True)
    }
    return Controller(
        workspace_controllers=workspace_controllers,
        worker_pool=worker_pool,
        schedule=schedule,
        stop=stop,
        release=lambda: _close_all(states),
    )


def _close_all(states: Iterable[SharedState]) -> None:
    for state in states:
        state.close()


def _name_all(roots: Sequence[Path]) -> list[str]:
    """Return a name for each workspace: its folder's, and a number where two are alike."""
    names: list[str] = []
    for root in roots:
        choices = chain([root.name], (f"{root.name}-{number}" for number in count(2)))
        names.append(next(name for name in choices if name not in names))
    return names


def _build_shared_state(notify: EventSink, redactor: Redactor) -> SharedState:
    def listen(exchange: Exchange) -> None:
        notify(
            Exchanged(
                operation=exchange.command, seconds=exchange.seconds, is_done=exchange.is_done
            )
        )

    return SharedState(redactor, listener=listen)


def _build_opener(
    root: Path, flags: Sequence[str], lasting: SharedState
) -> Callable[[], ServedWorkspace]:
    memory, home = Memory(), find_home(os.environ)

    def open_anew() -> ServedWorkspace:
        find_workspace(root)
        workspace = ServedWorkspace(
            root, home, dict(os.environ), flags, lasting=lasting, memory=memory
        )
        assert workspace.identifier  # noqa: S101  it raises if there is none
        return workspace

    return open_anew

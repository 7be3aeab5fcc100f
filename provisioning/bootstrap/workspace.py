"""Joins what a workspace needs to be read, planned and applied."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from provisioning.bootstrap.cycle_settings import build_settings
from provisioning.bootstrap.gates import list_gates
from provisioning.bootstrap.hosting import Hosted
from provisioning.bootstrap.resolvers import KnownValuesByInfra, build_lookup, build_scope
from provisioning.config.home import find_home
from provisioning.config.layers import WORKSPACE_FILE, Layers
from provisioning.config.workspace import find_workspace
from provisioning.core.infras.dependencies import NO_LINKS, Links, compute_links
from provisioning.core.infras.order import Needs, compute_needs
from provisioning.core.model.errors import (
    InvalidConfiguration,
    ProvisioningError,
)
from provisioning.core.model.ids import CommitId
from provisioning.core.model.kinds import Kind, build_kinds
from provisioning.core.model.records import Holder, Lock
from provisioning.core.model.resources import Resource
from provisioning.core.policy.approvals import ReviewedEffects
from provisioning.core.reviews.drift_pulls import DRIFT_REFS
from provisioning.core.statelog.lock_expiry import LockStatus, compute_lock_status
from provisioning.core.statelog.transitions import OURS, LogView
from provisioning.gitstore.statelog.git_statelog import GitStateLog
from provisioning.localstore.lock_observations import observe_lock
from provisioning.locks.holders import is_gone, read_boot, read_holder
from provisioning.reconciler.cycle import Reconciler
from provisioning.reconciler.events import Event, Listener
from provisioning.reconciler.execution.cancellation import Cancellation
from provisioning.reconciler.execution.lease import Clocks, render_time
from provisioning.reconciler.planning.compiler import Compiler
from provisioning.reconciler.planning.cross_infra import CrossInfra

if TYPE_CHECKING:
    from provisioning.providers.instance import ProviderInstance
    from provisioning.reconciler.explain.checkout import Checkout

ReadReviewed = Callable[[LogView, CommitId], ReviewedEffects | None]


@dataclass
class Workspace(Hosted):
    """One workspace, opened: its infras, their state logs, and what plans and applies them."""

    known_values_by_infra: KnownValuesByInfra = field(default_factory=dict)

    def choose_infras(
        self, commit: CommitId, infra: str | None, *, recorded: bool = False
    ) -> list[str]:
        """Return the infras to work on: *infra*, or all.

        An infra counts if it is at *commit*, or if it is gone there and something of it is
        still recorded; with *recorded* also if it has no more than a state log.

        Raises:
            InvalidArgument: If *infra* is none.
        """
        compiler = self._build_compiler({})
        logs = (ref.removeprefix(OURS) for ref in self.repository.list_refs(OURS))
        known = {name for name in logs if recorded or self.build_log(name).has_records()}
        names = sorted({*compiler.list_infras(commit), *known})
        if infra is None:
            return names
        if infra not in names:
            compiler.check_infra(commit, infra)
        return [infra]

    def read_needs(self, commit: CommitId, infras: Sequence[str]) -> Needs:
        """Return which of *infras* refer to which at *commit*; one that is broken to none.

        Raises:
            DependencyCycle: If they refer to each other in a cycle.
        """
        links: dict[str, Links] = {}
        for infra in infras:
            try:
                links[infra] = self.compute_links(commit, infra)
            except ProvisioningError:  # its own run tells what is wrong with it
                links[infra] = NO_LINKS
        return compute_needs(links)

    def compute_links(self, commit: CommitId, infra: str) -> Links:
        """Return what links *infra* to others at *commit*."""
        return compute_links(
            self.compile(commit, infra), lambda: self.load_layers(commit, infra).list_references()
        )

    @property
    def resync_width(self) -> int:
        """How many infras are worked on at once."""
        return int(self.layers.get("executor.infras").value)

    def has_drift_branches(self, infra: str) -> bool:
        """Tell whether a drift of *infra* has a branch at the remote, as it was fetched."""
        return bool(self.repository.list_refs(f"{DRIFT_REFS}{infra}/"))

    def list_infras(self, commit: CommitId) -> list[str]:
        """Return the names of the infras at *commit*, sorted."""
        return self._build_compiler({}).list_infras(commit)

    def compile(self, commit: CommitId, infra: str) -> list[Resource]:
        """Read the manifests of *infra* at *commit*; nothing is filled in, opened or asked."""
        kinds = self._build_kinds(self.load_layers(commit, infra))
        return self._build_compiler(kinds).compile(commit, infra)

    def read_notes(self) -> list[str]:
        """Return what a user may be missing: changes that are not committed yet."""
        if self.remote:
            return [f"the plan is of {self.branch} at {self.remote.shown}"]
        changed = self.repository.list_uncommitted(self.root, ("infra", "config", "secrets"))
        if not changed:
            return []
        names = ", ".join(changed[:3]) + (" …" if len(changed) > 3 else "")  # noqa: PLR2004
        return [f"not committed, and so not in the plan: {names}"]

    @cached_property
    def holder(self) -> Holder:
        """This process."""
        return read_holder()

    def judge(self, infra: str, lock: Lock) -> LockStatus:
        """Judge the lock of *infra*; notes that it was seen."""
        path = self.home.locks / self.identifier / f"{infra}.json"
        gone = is_gone(lock.holder)
        seen_for = 0.0 if gone else observe_lock(path, lock, read_boot())
        return compute_lock_status(lock, is_gone=gone, seen_for=seen_for)

    def build_hold(self, reason: str, expire: float | None) -> Lock:
        """Build the lock with which a person holds an infra; it has no token yet."""
        now = render_time(time.time())
        holder = msgspec.structs.replace(self.holder, pid=0, started=0)
        return Lock(
            token=0, holder=holder, reason=reason, acquired_at=now, renewed_at=now, ttl=expire or 0
        )

    def build_log(self, infra: str, layers: Layers | None = None) -> GitStateLog:
        """Join the state log of *infra*; *layers* say how its lock is written."""
        author, remote = self.holder.user, self.remote
        backend = (layers or self.layers).get("lock.backend")
        if backend.value != "gitea":
            return GitStateLog(self.repository, infra, remote=remote, author=author)
        if self.forge is None:
            raise InvalidConfiguration(
                "lock.backend is gitea, and forge.kind is not set",
                hint=f"set forge.kind, url, repository and token_file in {WORKSPACE_FILE}",
                source=backend.origin.source,
            )
        from provisioning.locks.gitea_lock import ContentsStateLog

        return ContentsStateLog(
            self.repository, infra, remote=remote, author=author, contents=self.forge.contents
        )

    def _build_compiler(self, kinds: Mapping[str, Kind]) -> Compiler:
        return self._join_compiler(kinds, self.home.compiled / self.identifier)

    def _join_compiler(self, kinds: Mapping[str, Kind], cache: Path) -> Compiler:
        return Compiler(
            self.repository,
            kinds,
            cache,
            prefix=self.prefix,
            build_lookup=lambda commit, infra: build_lookup(self, commit, infra),
        )

    def build_checkout(self, commit: CommitId) -> Checkout:
        """Join what *commit* can be asked; what it compiles is kept apart from what runs read."""
        from provisioning.reconciler.explain.checkout import Checkout

        layers = self.load_layers(commit, None)
        kinds = self._build_kinds(layers)
        cache = self.home.compiled / self.identifier / "looks"
        return Checkout(
            repository=self.repository,
            prefix=self.prefix,
            commit=commit,
            compiler=self._join_compiler(kinds, cache),
            kinds=kinds,
            load_layers=lambda infra: self.load_layers(commit, infra),
        )

    def build_reconciler(
        self,
        infra: str,
        commit: CommitId,
        *,
        stop: Cancellation | None = None,
        listener: Listener | None = None,
        asks_for_reviews: bool = True,
    ) -> Reconciler:
        """Join the reconciler of *infra* with the settings of *commit*.

        *asks_for_reviews* is false for the look that is itself a review: what it shows waits for
        no window.
        """
        layers = self.load_layers(commit, infra)
        settings = build_settings(layers)
        providers = {provider.name: provider for provider in self._build_providers(layers)}
        kinds = build_kinds(kind for item in providers.values() for kind in item.describe())
        log = self.build_log(infra, layers)
        return Reconciler(
            infra=infra,
            workspace=self.identifier,
            history=self.repository,
            log=log,
            compiler=self._build_compiler(kinds),
            kinds=kinds,
            providers=providers,
            lookup=build_scope(self, layers, commit, infra),
            key=self.home.read_fingerprint_key(),
            holder=self.holder,
            journals=self.home.checkpoints / self.identifier / infra,
            plan_cache=self.home.settled / self.identifier / f"{infra}.msgpack",
            cross_infra=CrossInfra(
                infra=infra, claims=self._build_compiler(kinds), open_log=self.build_log
            ),
            judge=lambda lock: self.judge(infra, lock),
            read_reviewed=self._build_approval_reader(log, layers)
            if asks_for_reviews
            else _ask_for_nothing,
            gates=list_gates(),
            nonce=lambda: secrets.token_bytes(3),
            settings=settings if asks_for_reviews else replace(settings, windows=()),
            stop=stop or Cancellation(),
            is_superseded=self.is_superseded,
            listener=listener or _ignore,
            clocks=Clocks(),
        )

    def _build_approval_reader(self, log: GitStateLog, layers: Layers) -> ReadReviewed:
        """Join what tells which changes were reviewed, if the workspace is at a forge."""
        if self.forge is None or self.remote is None:
            return _ask_for_nothing
        from provisioning.gitstore.branches.review_log import ReviewLog
        from provisioning.reconciler.reviews.approval_reader import ApprovalReader

        approvals = ApprovalReader(
            forge=self.forge.pulls,
            reviews=ReviewLog(self.remote, self.holder.user),
            history=self.repository,
            branch=self.branch,
            is_required=layers.get("review.policy").value == "pull-request",
        )
        return lambda view, commit: approvals.read_reviewed(log, view, commit)

    def _build_kinds(self, layers: Layers) -> dict[str, Kind]:
        return build_kinds(
            kind for provider in self._build_providers(layers) for kind in provider.describe()
        )

    def _build_providers(self, layers: Layers) -> list[ProviderInstance]:
        from provisioning.providers.registry import Workplace, build_instances

        workplace = Workplace(self.root, self.home.path)
        return build_instances(layers, workplace, self.lasting.providers)


def _ignore(event: Event) -> None:
    del event


def _ask_for_nothing(view: LogView, commit: CommitId) -> None:
    del view, commit


def open_workspace(folder: str, flags: Sequence[str]) -> Workspace:
    """Open the workspace that *folder* lies in.

    Raises:
        WorkspaceNotFound: If there is none.
    """
    root = find_workspace(Path(folder))
    return Workspace(root, find_home(os.environ), dict(os.environ), flags)


def list_kinds() -> dict[str, Kind]:
    """Return the kinds of every registered provider, by name."""
    from provisioning.providers.registry import list_kinds

    return build_kinds(list_kinds())

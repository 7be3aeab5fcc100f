"""Joins what a workspace needs to be read, planned and applied."""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from provisioning.bootstrap.scopes import Outlooks, build_lookup, build_scope
from provisioning.bootstrap.settings import build_settings
from provisioning.config.home import Home, find_home
from provisioning.config.layers import WORKSPACE_FILE, Layers, load_layers
from provisioning.config.workspace import find_workspace
from provisioning.core.errors import (
    InvalidConfiguration,
    ProvisioningError,
    RepositoryUnusable,
    Source,
)
from provisioning.core.ids import CommitId
from provisioning.core.kinds import Kind
from provisioning.core.leases import Judgement, judge_lock
from provisioning.core.providers import Provider
from provisioning.core.records import Holder, Lock
from provisioning.core.redaction import Redactor
from provisioning.core.resources import Resource
from provisioning.core.reviews.approvals import Reviewed
from provisioning.core.reviews.drifts import DRIFTS
from provisioning.core.reviews.records import REVIEWS
from provisioning.core.statelog import OURS, LogView
from provisioning.core.sweeps import Needs, compute_needs
from provisioning.gitstore.holders import is_gone, read_boot, read_holder
from provisioning.gitstore.repository import Repository, open_repository
from provisioning.gitstore.sightings import observe_lock
from provisioning.gitstore.statelog import GitStateLog
from provisioning.reconciler.compiling import Compiler
from provisioning.reconciler.cycle import Reconciler
from provisioning.reconciler.events import Event, Listener
from provisioning.reconciler.leasing import Clocks, render_time
from provisioning.reconciler.neighbours import Neighbourhood
from provisioning.reconciler.stopping import Stop

if TYPE_CHECKING:
    from provisioning.core.forges import Token
    from provisioning.forge.gitea import Gitea
    from provisioning.forge.http import Api
    from provisioning.forge.tokens import TokenFile
    from provisioning.gitstore.remote import Exchange, Remote
    from provisioning.reconciler.checkouts import Checkout

ReadReviewed = Callable[[LogView, CommitId], Reviewed | None]


@dataclass(frozen=True, slots=True)
class Lasting:
    """What outlives one opening of a workspace: providers know their children, pools stay open."""

    redactor: Redactor = field(default_factory=Redactor)
    providers: dict[tuple[str, ...], Provider] = field(default_factory=dict)
    apis: dict[tuple[str, str], Api] = field(default_factory=dict)
    listener: Callable[[Exchange], None] | None = None


@dataclass
class Workspace:
    """One workspace, opened: where its desired state is read and its state logs are kept.

    Desired state and settings of a run come from the commit, never from the work tree; the
    work tree's `config/provisioning.yaml` only says where to look.
    """

    root: Path
    home: Home
    environ: Mapping[str, str]
    flags: Sequence[str]
    _layers: dict[tuple[CommitId | None, str | None], Layers] = field(default_factory=dict)
    lasting: Lasting = field(default_factory=Lasting)
    outlooks: Outlooks = field(default_factory=dict)

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
        from provisioning.gitstore.remote import Remote, ignore_exchange

        is_relative = ":" not in str(url) and not str(url).startswith(("/", "-"))
        address = str((self.root / str(url)).resolve()) if is_relative else str(url)
        name = hashlib.sha256(address.encode()).hexdigest()[:32]
        folder, listener = self.home.mirrors / f"{name}.git", self.lasting.listener
        return Remote(address, folder, token=token, listener=listener or ignore_exchange)

    @cached_property
    def forge(self) -> Gitea | None:
        """What hosts the repository, if the settings name it; nothing is asked of it yet."""
        if self.layers.get("forge.kind").value is None:
            return None
        from provisioning.forge.gitea import Gitea

        return Gitea(self.api, self._read_forge("repository"))

    @cached_property
    def api(self) -> Api:
        """The forge's API."""
        from provisioning.forge.http import Api

        apis, key = self.lasting.apis, (self._read_forge("url"), self._read_forge("token_file"))
        if key not in apis:
            apis[key] = Api(key[0], self._token)
        return apis[key]

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
        from provisioning.forge.tokens import TokenFile

        path = self.home.path / Path(self._read_forge(key)).expanduser()
        folders = (self.root, *self.root.parents)
        top = next((each for each in folders if (each / ".git").exists()), self.root)
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
            self.remote.fetch(ref, f"{OURS}*", f"{DRIFTS}*", *reviews)
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
        from provisioning.gitstore.reverting import advance_branch

        advance_branch(self.repository, self.branch, commit)

    def is_superseded(self, commit: CommitId) -> bool:
        """Tell whether a newer desired state than *commit* is known here; asks no remote."""
        return self.repository.read_ref(f"refs/heads/{self.branch}") != commit

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
            DependencyCycle: If they refer to each other in a ring.
        """
        desired: dict[str, list[Resource]] = {}
        for infra in infras:
            try:
                desired[infra] = self.compile(commit, infra)
            except ProvisioningError:  # its own run tells what is wrong with it
                desired[infra] = []
        return compute_needs(desired)

    @property
    def sweep_width(self) -> int:
        """How many infras are worked on at once."""
        return int(self.layers.get("executor.infras").value)

    def has_drift_branches(self, infra: str) -> bool:
        """Tell whether a drift of *infra* has a branch at the remote, as it was fetched."""
        return bool(self.repository.list_refs(f"{DRIFTS}{infra}/"))

    def list_infras(self, commit: CommitId) -> list[str]:
        """Return the names of the infras at *commit*, sorted."""
        return self._build_compiler({}).list_infras(commit)

    def compile(self, commit: CommitId, infra: str) -> list[Resource]:
        """Read the manifests of *infra* at *commit*; nothing is filled in, opened or asked."""
        return self._build_compiler(list_kinds()).compile(commit, infra)

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

    def judge(self, infra: str, lock: Lock) -> Judgement:
        """Judge the lock of *infra*; notes that it was seen."""
        path = self.home.locks / self.identifier / f"{infra}.json"
        gone = is_gone(lock.holder)
        seen_for = 0.0 if gone else observe_lock(path, lock, read_boot())
        return judge_lock(lock, is_gone=gone, seen_for=seen_for)

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
        from provisioning.gitstore.contents import ContentsStateLog

        return ContentsStateLog(
            self.repository, infra, remote=remote, author=author, contents=self.forge
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
        from provisioning.reconciler.checkouts import Checkout

        layers = self.load_layers(commit, None)
        kinds = {kind.name: kind for it in self._build_providers(layers) for kind in it.describe()}
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
        stop: Stop | None = None,
        listener: Listener | None = None,
        asks_for_reviews: bool = True,
    ) -> Reconciler:
        """Join the reconciler of *infra* with the settings of *commit*.

        *asks_for_reviews* is false for the look that is itself a review: what it shows waits for
        no window.
        """
        layers = self.load_layers(commit, infra)
        settings = build_settings(layers)
        providers = {each.name: each for each in self._build_providers(layers)}
        kinds = {kind.name: kind for each in providers.values() for kind in each.describe()}
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
            settlement=self.home.settled / self.identifier / f"{infra}.msgpack",
            neighbours=Neighbourhood(
                infra=infra, claims=self._build_compiler(kinds), open_log=self.build_log
            ),
            judge=lambda lock: self.judge(infra, lock),
            read_reviewed=self._build_consent(log, layers)
            if asks_for_reviews
            else _ask_for_nothing,
            nonce=lambda: secrets.token_bytes(3),
            settings=settings if asks_for_reviews else replace(settings, windows=()),
            stop=stop or Stop(),
            is_superseded=self.is_superseded,
            listener=listener or _ignore,
            clocks=Clocks(),
        )

    def _build_consent(self, log: GitStateLog, layers: Layers) -> ReadReviewed:
        """Join what tells which changes were reviewed, if the workspace is at a forge."""
        if self.forge is None or self.remote is None:
            return _ask_for_nothing
        from provisioning.forge.pulls import GiteaPulls
        from provisioning.gitstore.reviews import ReviewLog
        from provisioning.reconciler.reviews.consent import Consent

        consent = Consent(
            forge=GiteaPulls(self.api, self.forge.repository),
            reviews=ReviewLog(self.remote, self.holder.user),
            history=self.repository,
            branch=self.branch,
            is_required=layers.get("review.policy").value == "pull-request",
        )
        return lambda view, commit: consent.read_reviewed(log, view, commit)

    def _build_providers(self, layers: Layers) -> list[Provider]:
        from provisioning.providers.local.provider import LocalProvider

        root = self.root / str(layers.get("local.root").value)
        allow = [Path(str(each)) for each in layers.get("local.allow").value]
        providers, key = self.lasting.providers, (str(root), *(str(each) for each in allow))
        if key not in providers:
            providers[key] = LocalProvider(root=root, allow=allow, home=self.home.path)
        return [providers[key]]


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
    """Return the kinds of every provider, by name."""
    from provisioning.providers.local.kinds import KINDS

    return {kind.name: kind for kind in KINDS}

"""The state logs of a workspace, and who holds them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from msgspec.structs import replace

from provisioning.application.workspace.commits import WorkspaceCommits
from provisioning.config.layers import WORKSPACE_FILE, Layers
from provisioning.core.model.errors import InvalidConfiguration
from provisioning.core.model.ids import ResourceId
from provisioning.core.model.records import Holder, Lock
from provisioning.core.statelog.lock_expiry import LockStatus, compute_lock_status
from provisioning.core.statelog.transitions import OURS
from provisioning.gitstore.statelog.git_statelog import GitStateLog
from provisioning.localstore.lock_observations import observe_lock
from provisioning.locks.holders import is_gone, read_boot, read_holder
from provisioning.reconciler.execution.lease import render_time


@dataclass
class StateLogs:
    """The state logs of a workspace's infras."""

    commits: WorkspaceCommits

    @cached_property
    def holder(self) -> Holder:
        """This process."""
        return read_holder()

    def list_infras(self, *, with_records: bool) -> list[str]:
        """Return the infras that have a state log, or only those of which it records something."""
        refs = self.commits.repository.list_refs(OURS)
        names = [ref.removeprefix(OURS) for ref in refs]
        return [name for name in names if not with_records or self.build(name).has_records()]

    def has_record(self, infra: str, name: ResourceId) -> bool:
        """Tell whether *infra* records the resource *name*, as it was fetched."""
        from provisioning.gitstore.statelog.applications import read_record

        head = self.build(infra).read_local().head
        return head is not None and read_record(self.commits.repository, head, name) is not None

    def build(self, infra: str, layers: Layers | None = None) -> GitStateLog:
        """Join the state log of *infra*; *layers* say how its lock is written."""
        commits, settings = self.commits, self.commits.settings
        author, remote = self.holder.user, commits.remote
        backend = (layers or settings.layers).get("lock.backend")
        if backend.value != "gitea":
            return GitStateLog(commits.repository, infra, remote=remote, author=author)
        forge = commits.forge.repository
        if forge is None:
            raise InvalidConfiguration(
                "lock.backend is gitea, and forge.kind is not set",
                hint=f"set forge.kind, url, repository and token_file in {WORKSPACE_FILE}",
                source=backend.origin.source,
            )
        from provisioning.locks.gitea_lock import ContentsStateLog

        return ContentsStateLog(
            commits.repository, infra, remote=remote, author=author, contents=forge.contents
        )

    def judge(self, infra: str, lock: Lock) -> LockStatus:
        """Judge the lock of *infra*; notes that it was seen."""
        settings = self.commits.settings
        path = settings.home.locks / settings.identifier / f"{infra}.json"
        gone = is_gone(lock.holder)
        seen_for = 0.0 if gone else observe_lock(path, lock, read_boot())
        return compute_lock_status(lock, is_gone=gone, seen_for=seen_for)

    def build_judge(self, infra: str) -> Callable[[Lock], LockStatus]:
        """Return the function that judges locks of *infra*."""
        return lambda lock: self.judge(infra, lock)

    def build_hold(self, reason: str, seconds: float | None) -> Lock:
        """Build the lock with which a person holds an infra; it has no token yet."""
        now = render_time(time.time())
        holder = replace(self.holder, pid=0, started=0)
        return Lock(
            token=0, holder=holder, reason=reason, acquired_at=now, renewed_at=now, ttl=seconds or 0
        )

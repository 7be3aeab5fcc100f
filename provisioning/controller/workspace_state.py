"""The state of a workspace in a service. All of it can be read again at any time."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from provisioning.controller.served_workspace import ServedWorkspace
from provisioning.core.model.errors import LockHeld, ProvisioningError
from provisioning.core.model.ids import CommitId
from provisioning.core.scheduling.workqueue import Key, Topic


class Revision(msgspec.Struct, frozen=True):
    """The desired state of a workspace: the workspace as opened, a commit of it, its infras."""

    workspace: ServedWorkspace
    commit: CommitId
    infras: frozenset[str]


class LastCycle(msgspec.Struct, frozen=True, kw_only=True):
    """How the last cycle of an infra ended, and when one last succeeded.

    Times are of the worker pool's clock, in seconds; `due` is when it is retried, if it is.
    `is_known` is false after an error: the remote log may have moved on from the mirror.
    """

    at: float
    commit: CommitId
    result: str
    sentence: str
    is_known: bool
    due: float | None
    success_at: float | None


@dataclass(slots=True)
class WorkspaceState:
    """One workspace; *name* names it in keys, logs and metrics.

    `read_at` is when it was last read, `due` when the next fetch is due, both in seconds of the
    worker pool's clock; `error` and `settings_error` are why it cannot be read, if so.
    """

    name: str
    revision: Revision | None = None
    read_at: float | None = None
    due: float = 0.0
    error: ProvisioningError | None = None
    settings_error: ProvisioningError | None = None
    last_cycles: dict[str, LastCycle] = field(default_factory=dict)

    def get_key(self, infra: str) -> Key:
        """Return the key of *infra*."""
        return Key(self.name, Topic.INFRA, infra)

    @property
    def infras(self) -> list[str]:
        """The infras of the workspace, sorted."""
        return sorted(self.revision.infras) if self.revision else []

    @property
    def commit(self) -> CommitId | None:
        """The commit of the desired state."""
        return self.revision.commit if self.revision else None

    def is_known(self, infra: str) -> bool:
        """Tell whether the mirror has the result of the last cycle of *infra*."""
        last = self.last_cycles.get(infra)
        return last is None or last.is_known

    def is_locked(self, infra: str) -> bool:
        """Tell whether the last cycle of *infra* found it locked by somebody else."""
        last = self.last_cycles.get(infra)
        return last is not None and last.result == LockHeld.code

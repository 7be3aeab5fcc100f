"""The state of a workspace in a service. All of it can be read again at any time."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import msgspec

from provisioning.controller.schedule import DriftSchedule
from provisioning.core.infras.order import Needs
from provisioning.core.model.errors import LockHeld, ProvisioningError
from provisioning.core.model.ids import CommitId
from provisioning.core.reviews.forge import Forge
from provisioning.core.scheduling.workqueue import Key, Topic
from provisioning.core.statelog.transitions import LogView
from provisioning.reconciler.cycle import Reconciler
from provisioning.reconciler.events import Listener
from provisioning.reconciler.execution.cancellation import Cancellation
from provisioning.reconciler.planning.plan_result import Report

if TYPE_CHECKING:
    from provisioning.reconciler.reviews.reviewer import Reviewer


class ChangedInfras(msgspec.Struct, frozen=True):
    """The infras whose folders changed, and whether a file changed that any of them may read."""

    infras: frozenset[str]
    is_shared: bool


class OpenWorkspace(Protocol):
    """A workspace with the settings that it was opened with. Any thread may call."""

    @property
    def branch(self) -> str:
        """The branch that desired state is read from."""

    @property
    def poll_interval(self) -> float:
        """Seconds between two fetches."""

    @property
    def is_at_forge(self) -> bool:
        """Whether a forge hosts it."""

    def read_commit(self) -> CommitId:
        """Fetch, and return the newest desired state."""

    def choose_infras(self, commit: CommitId, infra: str | None) -> list[str]:
        """Return the infras to work on: *infra*, or all."""

    def find_touched(self, old: CommitId | None, new: CommitId) -> ChangedInfras:
        """Return the difference of two commits; without *old*, that to the first parent."""

    def read_needs(self, commit: CommitId, infras: Collection[str]) -> Needs:
        """Return which of *infras* refer to which."""

    def list_dependents(self, infra: str, before: LogView) -> list[str]:
        """Return the infras that read an output of *infra* that changed since *before*."""

    def read_drift_schedules(
        self, commit: CommitId, infras: Iterable[str]
    ) -> dict[str, DriftSchedule]:
        """Return the schedule of each of *infras*."""

    def build_reconciler(
        self, infra: str, commit: CommitId, *, stop: Cancellation | None, listener: Listener | None
    ) -> Reconciler:
        """Build the reconciler of *infra* with the settings of *commit*."""

    def find_reviews(self) -> list[int]:
        """Return the open pull requests that changed since the last call."""

    def build_reviewer(self) -> Reviewer:
        """Build the reviewer of pull requests; there must be a forge."""

    def build_pulls(self) -> Forge:
        """Build the client of the forge's pull requests; there must be a forge."""

    def publish_drift(self, report: Report) -> None:
        """Open or close the pull requests about drift that *report* asks for, at a forge."""

    def redact(self, text: str) -> str:
        """Return *text* without any secret."""

    def read_hook_secret(self) -> str:
        """Return the secret that signs webhooks."""


class Revision(msgspec.Struct, frozen=True):
    """The desired state of a workspace: the workspace as opened, a commit of it, its infras."""

    workspace: OpenWorkspace
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

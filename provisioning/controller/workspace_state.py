"""What is known of a workspace that is kept. All of it is read again at any time."""

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
    """The infras whose folders changed, and whether something changed that any may read."""

    infras: frozenset[str]
    is_shared: bool


class OpenWorkspace(Protocol):
    """A workspace as it was opened once; its settings never change. Any thread may call."""

    @property
    def identifier(self) -> str:
        """Its id."""

    @property
    def branch(self) -> str:
        """The branch that desired state is read from."""

    @property
    def poll_interval(self) -> float:
        """Seconds between two looks for news."""

    @property
    def is_at_forge(self) -> bool:
        """Whether a forge hosts it."""

    def read_commit(self) -> CommitId:
        """Fetch, and return the newest desired state."""

    def choose_infras(self, commit: CommitId, infra: str | None) -> list[str]:
        """Return the infras to work on: *infra*, or all."""

    def find_touched(self, old: CommitId | None, new: CommitId) -> ChangedInfras:
        """Return what differs between two commits; without *old*, from the first parent."""

    def read_needs(self, commit: CommitId, infras: Collection[str]) -> Needs:
        """Return which of *infras* refer to which."""

    def list_readers(self, infra: str, before: LogView) -> list[str]:
        """Return the infras that read what *infra* recorded otherwise since *before*."""

    def read_rhythms(self, commit: CommitId, infras: Iterable[str]) -> dict[str, DriftSchedule]:
        """Return how often each of *infras* is looked at."""

    def build_reconciler(
        self, infra: str, commit: CommitId, *, stop: Cancellation | None, listener: Listener | None
    ) -> Reconciler:
        """Join the reconciler of *infra* with the settings of *commit*."""

    def find_reviews(self) -> list[int]:
        """Return the pull requests that are not as they were when this was asked last."""

    def build_reviewer(self) -> Reviewer:
        """Join what reviews pull requests; there must be a forge."""

    def build_pulls(self) -> Forge:
        """Join the forge's pull requests; there must be one."""

    def tell_drift(self, report: Report) -> None:
        """Tell the forge, if there is one, of what drifted and waits for an answer there."""

    def redact(self, text: str) -> str:
        """Return *text* without any secret."""

    def read_hook_secret(self) -> str:
        """Return the secret by which webhooks are signed."""


class CommitProgress(msgspec.Struct, frozen=True):
    """What is worked towards: the workspace as it was opened, a commit of it, its infras."""

    workspace: OpenWorkspace
    commit: CommitId
    infras: frozenset[str]


class Last(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an infra last: when, how, and when all was well.

    Times are of the crew's clock, in seconds; `due` is when it is tried again, if it is.
    `is_known` tells that it came to a conclusion: after an error the log may be elsewhere than
    the mirror says.
    """

    at: float
    commit: CommitId
    result: str
    sentence: str
    is_known: bool
    due: float | None
    good_at: float | None


@dataclass(slots=True)
class WorkspaceState:
    """One workspace that is kept; *name* is what its keys, logs and metrics call it.

    `read_at` is when it was last read well, `due` when it is to be read next, both in seconds of
    the crew's clock; `error` and `settings_error` are what is wrong, if anything is.
    """

    name: str
    towards: CommitProgress | None = None
    read_at: float | None = None
    due: float = 0.0
    error: ProvisioningError | None = None
    settings_error: ProvisioningError | None = None
    last: dict[str, Last] = field(default_factory=dict)

    def get_key(self, infra: str) -> Key:
        """Return the key of *infra*."""
        return Key(self.name, Topic.INFRA, infra)

    @property
    def infras(self) -> list[str]:
        """The infras that are kept, sorted."""
        return sorted(self.towards.infras) if self.towards else []

    @property
    def commit(self) -> CommitId | None:
        """The desired state that is worked towards."""
        return self.towards.commit if self.towards else None

    def is_known(self, infra: str) -> bool:
        """Tell whether it is known what became of *infra* last, so that the mirror can be read."""
        last = self.last.get(infra)
        return last is None or last.is_known

    def is_locked(self, infra: str) -> bool:
        """Tell whether *infra* was last found to be locked by somebody else."""
        last = self.last.get(infra)
        return last is not None and last.result == LockHeld.code

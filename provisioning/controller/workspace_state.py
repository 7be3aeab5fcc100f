"""What is known of a workspace that is kept. All of it is read again at any time."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from provisioning.controller.served_workspace import ServedWorkspace
from provisioning.core.model.errors import LockHeld, ProvisioningError
from provisioning.core.model.ids import CommitId
from provisioning.core.scheduling.workqueue import Key, Topic


class CommitProgress(msgspec.Struct, frozen=True):
    """What is worked towards: the workspace as it was opened, a commit of it, its infras."""

    workspace: ServedWorkspace
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

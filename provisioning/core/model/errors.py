"""The errors a user can meet: each says what is wrong, where, and the next command."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

import msgspec


class Source(msgspec.Struct, frozen=True, gc=False, order=True):
    """A place in the workspace: *file* relative to its root, *line* counted from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class ProvisioningError(Exception):
    """The root of every error of ours.

    A class names the situation and carries a stable `code`, whether a later try of the
    same thing can succeed (`retryable`), and the `exit_code` of the command line.
    An instance carries the message, the place if there is one, and a `hint` that names
    the next command.
    """

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False
    exit_code: ClassVar[int] = 1

    def __init__(
        self, message: str, *, hint: str | None = None, source: Source | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.source = source

    def __str__(self) -> str:
        return f"{self.source}: {self.message}" if self.source else self.message


class InvalidManifest(ProvisioningError):
    """A manifest cannot be read, or asks for something that does not exist."""

    code = "invalid-manifest"


class InvalidWorkspace(ProvisioningError):
    """Several things are wrong at once; `problems` holds every one, in reading order."""

    code = "invalid-workspace"

    def __init__(self, problems: Iterable[ProvisioningError]) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (p.source or Source("", 0), str(p))))
        count = len(self.problems)
        super().__init__(f"{count} problems in the desired state")


class DependencyCycle(ProvisioningError):
    """Resources depend on each other in a cycle, so there is no order to apply them in."""

    code = "dependency-cycle"


class InvalidConfiguration(ProvisioningError):
    """A setting is unknown or has a value it cannot have."""

    code = "invalid-configuration"


class InvalidArgument(ProvisioningError):
    """A command was given a name or a value that does not exist."""

    code = "invalid-argument"


class WorkspaceNotFound(ProvisioningError):
    """There is no workspace at or above the folder."""

    code = "workspace-not-found"


class RepositoryUnusable(ProvisioningError):
    """The Git repository is missing, empty, damaged, or of a kind we cannot read."""

    code = "repository-unusable"


class RemoteUnreachable(ProvisioningError):
    """The remote repository did not answer, or answered with an error.

    `retry_after` is in seconds, if it said so.
    """

    code = "remote-unreachable"
    retryable = True
    retry_after: float | None = None


class RemoteRefused(ProvisioningError):
    """The remote repository answered "no": missing right, protected branch, wrong URL."""

    code = "remote-refused"


class HeadMoved(ProvisioningError):
    """The state log's head is no longer the one that was read; read again."""

    code = "head-moved"
    retryable = True


class LockHeld(ProvisioningError):
    """Somebody else holds the infra's lock.

    `remaining` is in seconds, if it expires then unless it is renewed.
    """

    code = "lock-held"
    retryable = True
    exit_code = 4
    remaining: float | None = None


class Fenced(ProvisioningError):
    """The lock was lost while the run was under way, so its results were not written."""

    code = "fenced"
    retryable = True


class StateLogDamaged(ProvisioningError):
    """The state log holds something no release of ours has written."""

    code = "state-log-damaged"


class TransitionRefused(ProvisioningError):
    """An entry was about to be written that may not follow the state log as it stands."""

    code = "transition-refused"


class PlanChanged(ProvisioningError):
    """What would be applied now differs from what was approved."""

    code = "plan-changed"
    exit_code = 3


class Blocked(ProvisioningError):
    """A gate or an unreadable resource stands in the way."""

    code = "blocked"
    exit_code = 3


class Interrupted(ProvisioningError):
    """The user or the system asked the run to stop."""

    code = "interrupted"
    retryable = True
    exit_code = 130


class StorageFailed(ProvisioningError):
    """A disk is full, read-only or broken."""

    code = "storage-failed"
    retryable = True


class ProviderError(ProvisioningError):
    """A provider could not do what it was asked for, and trying again will not help."""

    code = "provider-failed"


class HalfMade(ProviderError):
    """A provider could not finish what it made; `attributes` find it again."""

    code = "provider-half-made"

    def __init__(self, message: str, attributes: Mapping[str, object], *, hint: str = "") -> None:
        super().__init__(message, hint=hint or None)
        self.attributes = attributes


class ProviderTransient(ProviderError):
    """A provider failed in a way that passes: a time-out, a broken connection, a 5xx."""

    code = "provider-transient"
    retryable = True


class ProviderThrottled(ProviderTransient):
    """A provider asks for fewer calls; `retry_after` is in seconds, if it said so."""

    code = "provider-throttled"

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ProviderConflict(ProviderError):
    """Something that is not ours stands where a resource should be created."""

    code = "provider-conflict"


class ProviderMisbehaved(ProviderError):
    """A provider broke its contract; the message names the provider and the rule."""

    code = "provider-misbehaved"

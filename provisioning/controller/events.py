"""The events of a service. Logs, metrics and the event stream read the same structs."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import ClassVar, TypeAlias

import msgspec

from provisioning.core.model.errors import ProvisioningError
from provisioning.core.model.ids import CommitId, RunId
from provisioning.core.reviews.findings import describe_outcomes
from provisioning.core.scheduling.workqueue import Key, Urgency
from provisioning.reconciler.events import Event
from provisioning.reconciler.planning.plan_result import Conclusion, Report

WARNINGS = frozenset({Conclusion.BLOCKED, Conclusion.FAILED, Conclusion.INTERRUPTED})
"""The results of a cycle that are logged as warnings."""


class Level(StrEnum):
    """The level of a log line."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


class ServiceEvent(msgspec.Struct, frozen=True, kw_only=True, tag_field="action"):
    """One event; its fields are the keys of the log line and of the JSON.

    A subclass gives its action as the tag, its level as `severity`, and its sentence as a
    `template` of the event.
    """

    severity: ClassVar[Level] = Level.INFO
    template: ClassVar[str] = ""

    @property
    def action(self) -> str:
        """The name of the event for machines."""
        return str(self.__struct_config__.tag)

    @property
    def level(self) -> Level:
        """The level at which it is logged."""
        return self.severity

    @property
    def sentence(self) -> str:
        """The event in one sentence."""
        return self.template.format(self)


class Fetched(ServiceEvent, frozen=True, kw_only=True, tag="fetched"):
    """A workspace was read: the commit, and how many infras it has and how many are queued."""

    workspace: str
    commit: CommitId
    infras: int
    touched: int
    seconds: float
    is_new: bool

    @property
    def sentence(self) -> str:
        """The new commit, or that settings were read again."""
        if self.is_new:
            return f"{self.workspace} is at {self.commit[:10]}"
        return f"{self.workspace}: settings were read again"


class FetchFailed(ServiceEvent, frozen=True, kw_only=True, tag="fetch-failed"):
    """A workspace cannot be read; the controller retries in *retry* seconds."""

    severity = Level.ERROR
    template = "{0.workspace} cannot be read"

    workspace: str
    error: ProvisioningError
    retry: float


class SettingsRejected(ServiceEvent, frozen=True, kw_only=True, tag="settings-rejected"):
    """A workspace's settings are broken; the last valid ones stay in force."""

    severity = Level.ERROR
    template = "{0.workspace}: the settings are broken; the last valid ones stay in force"

    workspace: str
    error: ProvisioningError


class ForgeCallFailed(ServiceEvent, frozen=True, kw_only=True, tag="forge-call-failed"):
    """A call to the forge failed; it is retried later."""

    severity = Level.WARNING
    template = "{0.workspace}: a call to the forge failed"

    workspace: str
    error: ProvisioningError


class WatchFailed(ServiceEvent, frozen=True, kw_only=True, tag="watch-failed"):
    """A provider cannot watch; only the scheduled resync finds drift there."""

    severity = Level.WARNING
    template = "{0.workspace}: a provider cannot watch"

    workspace: str
    error: ProvisioningError


class Exchanged(ServiceEvent, frozen=True, kw_only=True, tag="git"):
    """An exchange with a remote ended: `fetch`, `push` or `ls-remote`."""

    severity = Level.DEBUG
    template = "git {0.operation}"

    operation: str
    seconds: float
    is_done: bool


class CycleBegun(ServiceEvent, frozen=True, kw_only=True, tag="cycle-begun"):
    """A worker began the cycle of an infra at a commit, *waited* seconds after it was ready."""

    severity = Level.DEBUG
    template = "{0.key.name}: begun"

    key: Key
    urgency: Urgency
    reason: str
    commit: CommitId
    waited: float


class RunProgress(ServiceEvent, frozen=True, kw_only=True):
    """A run made progress."""

    severity = Level.DEBUG
    template = "{0.key.name}: {0.event.text}"

    key: Key
    event: Event

    @property
    def action(self) -> str:
        """The kind of the run's event."""
        return str(self.event.kind)


class CycleEnded(ServiceEvent, frozen=True, kw_only=True, tag="cycle-ended"):
    """A cycle ended with a report, or an error.

    `result` is the conclusion, or the code of the error. `plan_seconds` are those of compile,
    observe, plan and gate, `since_requested` those from the first request to the end, and `retry`
    those until the next try. `is_repeated`: somebody else holds the lock, as in the cycle before.
    """

    key: Key
    urgency: Urgency
    commit: CommitId
    run: RunId | None = None
    result: str
    sentence: str
    plan_seconds: float
    seconds: float
    since_requested: float
    retry: float | None = None
    error: ProvisioningError | None = None
    is_repeated: bool = False

    @property
    def level(self) -> Level:
        """An error where only a person can help, a warning where it is retried."""
        if self.is_repeated:
            return Level.DEBUG
        if self.error is not None:
            return Level.WARNING if self.error.retryable else Level.ERROR
        if self.result in WARNINGS:
            return Level.WARNING
        return Level.INFO if self.run else Level.DEBUG


class PullsReviewed(ServiceEvent, frozen=True, kw_only=True, tag="reviewed"):
    """A pull request, or the closed ones, were reviewed, or could not be."""

    key: Key
    seconds: float
    retry: float | None = None
    error: ProvisioningError | None = None

    @property
    def level(self) -> Level:
        """A warning where the review failed."""
        return Level.WARNING if self.error else Level.INFO

    @property
    def sentence(self) -> str:
        """The pull request, and how the review ended."""
        return f"{self.key} was {'not ' if self.error else ''}reviewed"


class Defect(ServiceEvent, frozen=True, kw_only=True, tag="defect"):
    """Something raised an exception that is no `ProvisioningError`; *trace* is its traceback."""

    severity = Level.CRITICAL
    template = "a defect of provisioning; please report it"

    key: Key | None = None
    trace: str


class WorkerHung(ServiceEvent, frozen=True, kw_only=True, tag="worker-hung"):
    """A worker has sent no heartbeat for *seconds*; another takes its place."""

    severity = Level.ERROR
    template = "{0.key}: its worker hangs, and was replaced"

    key: Key
    seconds: float


EventSink: TypeAlias = Callable[[ServiceEvent], None]
"""Is called from any thread, must not block, and raises nothing."""


def describe_cycle(infra: str, commit: CommitId, report: Report) -> str:
    """Return in one sentence what a cycle of *infra* at *commit* did."""
    plan, run = report.plan_result.plan, report.run
    if run is None:
        violations = report.plan_result.violations
        reasons = [*(f"{violation.code}: {violation.reason}" for violation in violations),
                   *(f"{item.id} is blocked: {item.reason}" for item in plan.blocked)]  # fmt: skip
        more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
        rest = f"; {reasons[0]}{more}" if reasons else ""
        return f"{infra}: nothing done at {commit[:10]}, {len(plan.unchanged)} unchanged{rest}"
    failed = next((change for change in run.changes if change.error), None)
    why = f"; {failed.id}: {failed.error}" if failed else ""
    return f"{infra}: run {run.number} {run.result} at {commit[:10]}: {describe_outcomes(run)}{why}"

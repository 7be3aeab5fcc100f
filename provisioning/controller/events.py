"""What the service tells whoever listens: logs, metrics, and those who watch it live."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from provisioning.core.model.errors import ProvisioningError
from provisioning.core.model.ids import CommitId
from provisioning.core.scheduling.workqueue import Key, Work
from provisioning.reconciler.events import Event
from provisioning.reconciler.planning.plan_result import Report


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace was read: the commit found, and how many infras it has and changed."""

    workspace: str
    commit: CommitId
    seconds: float
    is_new: bool
    infras: int
    touched: int


class FetchFailed(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace could not be read; it is tried again in *retry* seconds."""

    workspace: str
    error: ProvisioningError
    retry: float


class ConfigurationKept(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace's settings are broken; it goes on with the last good ones."""

    workspace: str
    error: ProvisioningError


class CycleBegun(msgspec.Struct, frozen=True, kw_only=True):
    """A worker took up an infra, at a commit."""

    work: Work
    commit: CommitId
    waited: float


class CycleTold(msgspec.Struct, frozen=True, kw_only=True):
    """Something happened within a run."""

    key: Key
    event: Event


class CycleEnded(msgspec.Struct, frozen=True, kw_only=True):
    """A cycle is over: with a report, or an error.

    Args:
        work: What was asked for.
        commit: The desired state it worked towards.
        looked: Seconds of compile, observe, plan and gate.
        seconds: Seconds of all.
        since_asked: Seconds from when it was first asked for.
        retry: In how many seconds it is tried again, if it is.
        report: What it found and did.
        error: Why it could not.
        is_repeated: It found the lock in another hand, as the one before had.
    """

    work: Work
    commit: CommitId
    looked: float
    seconds: float
    since_asked: float
    retry: float | None
    report: Report | None = None
    error: ProvisioningError | None = None
    is_repeated: bool = False

    @property
    def result(self) -> str:
        """The conclusion, or the code of the error."""
        if self.report is not None:
            return str(self.report.conclusion)
        return self.error.code if self.error else "failed"


class PullsReviewed(msgspec.Struct, frozen=True, kw_only=True):
    """Pull requests were reviewed, or could not be."""

    work: Work
    seconds: float
    retry: float | None
    error: ProvisioningError | None = None


class Defect(msgspec.Struct, frozen=True, kw_only=True):
    """Something raised what is no error of ours; *trace* is its traceback."""

    key: Key | None
    trace: str


class WorkerHung(msgspec.Struct, frozen=True, kw_only=True):
    """A worker has given no sign of life for *seconds*; another takes its place."""

    work: Work
    seconds: float


class ForgeUntold(msgspec.Struct, frozen=True, kw_only=True):
    """The forge could not be told something; it is told later."""

    workspace: str
    error: ProvisioningError


class WatchFailed(msgspec.Struct, frozen=True, kw_only=True):
    """Something cannot be watched; it is looked at now and then all the same."""

    workspace: str
    error: ProvisioningError


class Exchanged(msgspec.Struct, frozen=True, kw_only=True):
    """A remote was asked something: `fetch`, `push` or `ls-remote`."""

    operation: str
    seconds: float
    is_done: bool


News: TypeAlias = (
    Fetched
    | Exchanged
    | FetchFailed
    | ConfigurationKept
    | CycleBegun
    | CycleTold
    | CycleEnded
    | PullsReviewed
    | Defect
    | WorkerHung
    | WatchFailed
    | ForgeUntold
)

EventSink: TypeAlias = Callable[[News], None]
"""Is called from any thread, must not block, and raises nothing."""


def describe_cycle(ended: CycleEnded) -> str:
    """Say in one plain sentence what a cycle did."""
    name, commit = ended.work.key.name, ended.commit[:10]
    if ended.report is None:
        return f"{name}: {ended.error}"
    report = ended.report
    if report.run is None:
        plan = report.plan_result.plan
        violations = report.plan_result.violations
        reasons = [*(f"{violation.code}: {violation.reason}" for violation in violations),
                   *(f"{item.id} is blocked: {item.reason}" for item in plan.blocked)]  # fmt: skip
        more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
        rest = f"; {reasons[0]}{more}" if reasons else ""
        return f"{name}: nothing done at {commit}, {len(plan.unchanged)} unchanged{rest}"
    counts: dict[str, int] = {}
    for change in report.run.changes:
        counts[change.outcome] = counts.get(change.outcome, 0) + 1
    story = ", ".join(f"{count} {outcome}" for outcome, count in counts.items()) or "no changes"
    failed = next((item for item in report.run.changes if item.error), None)
    why = f"; {failed.id}: {failed.error}" if failed else ""
    return f"{name}: run {report.run.number} {report.run.result} at {commit}: {story}{why}"

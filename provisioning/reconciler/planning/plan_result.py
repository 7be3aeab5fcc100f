"""The request, the plan and the report of a cycle. Values only."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from provisioning.core.model.ids import CommitId, ResourceId
from provisioning.core.model.records import Result, Run
from provisioning.core.model.states import DesiredState, LiveState, RecordedState
from provisioning.core.model.values import Digest
from provisioning.core.plan.plan import Plan
from provisioning.core.policy.approvals import ReviewedEffects
from provisioning.core.policy.budgets import UNLIMITED, Budget
from provisioning.core.policy.gates import GateViolation
from provisioning.core.scheduling.rate_limits import Limits
from provisioning.core.statelog.lock_expiry import LockStatus
from provisioning.core.statelog.transitions import LogView
from provisioning.reconciler.planning.plan_cache import CacheUpdate

if TYPE_CHECKING:
    from provisioning.core.policy.windows import Window


class RunRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The request of a cycle.

    `digest` is the plan that was approved; another plan is not applied. `allow` are the
    codes of gates that may be passed. `base` is what of the branch is in a *commit* that is
    on no branch yet, as of a pull request before its merge. `corrects` are the resources whose
    drift is corrected, whatever their manifests say.
    """

    commit: CommitId
    reason: str
    targets: Sequence[str] = ()
    excludes: Sequence[str] = ()
    allow: Sequence[str] = ()
    digest: Digest | None = None
    base: CommitId | None = None
    corrects: frozenset[ResourceId] = frozenset()


class PlanResult(msgspec.Struct, frozen=True, kw_only=True):
    """The three states as they were observed, the plan that follows, and how the gates decide.

    The states hold what the plan changes and all that this depends on; what is cached as unchanged
    may be missing. The counts are of everything there is. `cache_update` saves what is unchanged
    once the plan is applied; None if the next plan is as quick without it.
    """

    plan: Plan
    desired: DesiredState
    recorded: RecordedState
    live: LiveState
    view: LogView
    desired_count: int
    recorded_count: int
    journals: list[Path] = msgspec.field(default_factory=list)
    cache_update: CacheUpdate | None = None
    violations: tuple[GateViolation, ...] = ()
    lock_status: LockStatus | None = None
    reviewed: ReviewedEffects | None = None

    @property
    def has_work(self) -> bool:
        """Whether there is anything to apply, or to put straight in the state log."""
        return bool(self.plan.changes) or (
            self._is_log_behind and not (self.lock_status and self.lock_status.is_held)
        )

    @property
    def is_blocked(self) -> bool:
        """Whether a gate or a blocked resource is in the way of what Git asks for."""
        return bool(self.violations) or self.plan.is_stuck

    @property
    def _is_log_behind(self) -> bool:
        """Whether the log has a run that was cut off or failed, and nothing is wrong by now."""
        run = self.view.run
        has_failed = run is not None and run.result is not Result.DONE
        return self.view.is_cut_off or (has_failed and not self.plan.blocked)


class Conclusion(StrEnum):
    """How a cycle ended."""

    UNCHANGED = "unchanged"
    APPLIED = "applied"
    FAILED = "failed"
    BLOCKED = "blocked"
    INTERRUPTED = "interrupted"


class Report(msgspec.Struct, frozen=True):
    """The plan of a cycle, and the run that it recorded; None if it wrote nothing."""

    plan_result: PlanResult
    run: Run | None = None

    @property
    def conclusion(self) -> Conclusion:
        """How the cycle ended."""
        if self.run is not None and self.run.result is not Result.DONE:
            is_cut = self.run.result is Result.INTERRUPTED
            return Conclusion.INTERRUPTED if is_cut else Conclusion.FAILED
        if self.plan_result.is_blocked:
            return Conclusion.BLOCKED
        return Conclusion.APPLIED if self.run else Conclusion.UNCHANGED


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a cycle.

    `lock_ttl` is in seconds, None for the lock backend without locks; `timeout` is the seconds
    one call to a provider may take; `budget` is what a run may take away without approval;
    `windows` say when it may change something.
    """

    lock_ttl: float | None
    timeout: float
    limits: Limits
    budget: Budget = UNLIMITED
    windows: tuple[Window, ...] = ()

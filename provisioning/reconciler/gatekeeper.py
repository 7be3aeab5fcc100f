"""Decides whether a plan may be applied: targets, suspensions, conflicts, gates and the lock."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol

from msgspec.structs import replace

from provisioning.core.model.ids import CommitId, ResourceId
from provisioning.core.model.masked import Masked
from provisioning.core.model.records import Action, Lock, Suspensions
from provisioning.core.plan.plan import Plan
from provisioning.core.policy.approvals import ReviewedEffects
from provisioning.core.policy.conflicts import REACH, block_conflicts
from provisioning.core.policy.gates import Gate, GateContext, compute_violations
from provisioning.core.policy.suspensions import block_suspended, get_suspension
from provisioning.core.statelog.fsck import LogCommit
from provisioning.core.statelog.lock_expiry import LockStatus
from provisioning.core.statelog.transitions import LogView
from provisioning.reconciler.context import InfraContext
from provisioning.reconciler.execution.lease import render_time
from provisioning.reconciler.planning.plan_result import PlanResult, RunRequest


class CommitHistory(Protocol):
    """The commits of the workspace."""

    def has_object(self, name: str) -> bool:
        """Tell whether the commit was fetched."""

    def is_ancestor(self, old: CommitId, new: CommitId) -> bool:
        """Tell whether *new* is *old* or follows it."""


class Gatekeeper(Masked, frozen=True, kw_only=True):
    """Decides for one infra.

    Args:
        context: The infra.
        history: The commits of the workspace.
        judge: Judges a lock.
        read_reviewed: Reads what was reviewed up to a commit; None where no review counts.
        gates: The gates that a plan must pass, in order.
    """

    context: InfraContext
    history: CommitHistory
    judge: Callable[[Lock], LockStatus]
    read_reviewed: Callable[[LogView, CommitId], ReviewedEffects | None]
    gates: Sequence[Gate]

    def check(self, planned: PlanResult, request: RunRequest) -> PlanResult:
        """Return *planned* without the changes that must wait, and with its violations."""
        context, view = self.context, planned.view
        plan = restrict_plan(
            planned.plan,
            targets=request.targets,
            excludes=request.excludes,
            suspended=view.suspended,
            time=render_time(context.clocks.wall()),
            history=context.log.read_history(REACH),
            corrects=request.corrects,
        )
        gate_context = self._build_gate_context(planned, plan)
        return replace(
            planned,
            plan=plan,
            violations=compute_violations(plan, gate_context, request.allow, gates=self.gates),
            lock_status=self.judge(view.lock) if view.lock else None,
            reviewed=gate_context.reviewed,
        )

    def _build_gate_context(self, planned: PlanResult, plan: Plan) -> GateContext:
        context, view, commit = self.context, planned.view, plan.commit
        applied = (view.run.base or view.run.commit) if view.run else None
        is_new = any(not change.heals for change in plan.changes)
        time = context.clocks.wall()
        return GateContext(
            applied=applied,
            descends=applied is None
            or applied == commit
            or self.history.is_ancestor(applied, commit),
            desired=planned.desired_count,
            recorded=planned.recorded_count,
            reviewed=self.read_reviewed(view, commit) if is_new else None,
            suspended=get_suspension(view.suspended, render_time(time)),
            budget=context.settings.budget,
            dependents=self._count_dependents(view, plan),
            kinds=context.kinds,
            windows=context.settings.windows,
            time=time,
        )

    def _count_dependents(self, view: LogView, plan: Plan) -> Mapping[ResourceId, int]:
        """Count what depends on what is replaced; the planner may have left some of it out."""
        if not any(change.action is Action.REPLACE for change in plan.changes):
            return {}
        from provisioning.core.policy.budgets import compute_dependents

        return compute_dependents(plan, self.context.log.open_records(view).read_all())


def restrict_plan(
    plan: Plan,
    *,
    targets: Sequence[str],
    excludes: Sequence[str],
    suspended: Suspensions,
    time: str,
    history: Iterable[LogCommit],
    corrects: Collection[ResourceId] = frozenset(),
) -> Plan:
    """Return *plan* without what is no target, and with suspensions and conflicts blocked."""
    if targets or excludes:
        from provisioning.core.policy.targeting import target_plan

        plan = target_plan(plan, targets, excludes)
    plan = block_suspended(plan, suspended, time)
    return block_conflicts(plan, history, suspended, corrects)

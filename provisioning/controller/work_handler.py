"""The work on one workspace: a cycle of one infra, or a review; and the work that follows."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

import msgspec

from provisioning.controller.commit_statuses import CommitStatuses
from provisioning.controller.events import (
    CycleBegun,
    CycleEnded,
    EventSink,
    ForgeCallFailed,
    PullsReviewed,
    RunProgress,
    describe_cycle,
)
from provisioning.controller.served_workspace import ServedWorkspace
from provisioning.controller.watches import WatchRegistry
from provisioning.controller.worker_pool import WorkerPool
from provisioning.controller.workspace_state import LastCycle, Revision, WorkspaceState
from provisioning.core.model.errors import LockHeld, ProvisioningError
from provisioning.core.policy.builtin_gates import REWOUND
from provisioning.core.scheduling.backoff import compute_backoff, compute_retry
from provisioning.core.scheduling.workqueue import Ending, Key, Topic, Urgency, Work
from provisioning.reconciler.events import Event
from provisioning.reconciler.execution.cancellation import Cancellation
from provisioning.reconciler.planning.plan_result import Conclusion, Report, RunRequest
from provisioning.reconciler.resync import SUCCESSFUL


class WorkHandler(msgspec.Struct, frozen=True, kw_only=True):
    """Works on one workspace; called from the worker threads, one key at a time.

    *request_fetch* fetches the workspace soon.
    """

    state: WorkspaceState
    worker_pool: WorkerPool
    watches: WatchRegistry
    statuses: CommitStatuses
    request_fetch: Callable[[], None]
    notify: EventSink
    stop: Cancellation

    def work(self, work: Work) -> Ending:
        """Do one piece of work."""
        revision = self.state.revision
        if revision is None:
            return Ending(is_good=True)
        if work.key.topic is not Topic.INFRA:
            return self._review(work, revision.workspace)
        if work.key.name not in revision.infras:
            return Ending(is_good=True)
        ended, report = self._run(work, revision)
        is_success = ended.result in SUCCESSFUL
        self._remember(ended, is_success=is_success)
        self.notify(ended)
        self._follow_up(revision.workspace, work, ended, report)
        is_held = isinstance(ended.error, LockHeld)
        return Ending(is_success, ended.retry, is_failure=not is_held)

    # A cycle

    def _run(self, work: Work, revision: Revision) -> tuple[CycleEnded, Report | None]:
        began, infra, commit = self.worker_pool.now(), work.key.name, revision.commit
        key, urgency, waited = work.key, work.urgency, began - work.ready_since
        self.notify(
            CycleBegun(key=key, urgency=urgency, reason=work.reason, commit=commit, waited=waited)
        )
        report, error, plan_seconds = None, None, 0.0
        is_known, is_locked = self.state.is_known(infra), self.state.is_locked(infra)
        try:
            reconciler = revision.workspace.opened.build_reconciler(
                infra, commit, stop=self.stop, listener=partial(self._report, key)
            )
            request = RunRequest(commit=commit, reason=work.reason)
            context = reconciler.context
            view = context.log.read_local() if is_known else context.log.read()
            self.watches.follow(context, view)
            planned = reconciler.plan(request, view)
            plan_seconds = self.worker_pool.now() - began
            self.worker_pool.beat(key)
            report = reconciler.reconcile(request, planned)
            if report.run is not None:
                self.watches.follow_run(context)
        except ProvisioningError as exc:
            error = exc
        now = self.worker_pool.now()
        ended = CycleEnded(
            key=key,
            urgency=urgency,
            commit=commit,
            run=report.run.run if report and report.run else None,
            result=report.conclusion if report else error.code if error else "failed",
            sentence=describe_cycle(infra, commit, report) if report else f"{infra}: {error}",
            plan_seconds=plan_seconds,
            seconds=now - began,
            since_requested=now - work.since,
            retry=self._compute_retry(work, report, error),
            error=error,
            is_repeated=is_locked and isinstance(error, LockHeld),
        )
        return ended, report

    def _report(self, key: Key, event: Event) -> None:
        self.worker_pool.beat(key)
        self.notify(RunProgress(key=key, event=event))

    def _compute_retry(
        self, work: Work, report: Report | None, error: ProvisioningError | None
    ) -> float | None:
        jitter = random.random()  # noqa: S311
        if error is not None:
            return compute_retry(error, work.failures + 1, jitter)
        match report.conclusion if report else None:
            case Conclusion.INTERRUPTED if self.stop.is_requested:
                return None
            case Conclusion.INTERRUPTED | Conclusion.FAILED:
                return compute_backoff(work.failures + 1, jitter)
            case Conclusion.BLOCKED if report and report.plan_result.plan.blocked:
                return compute_backoff(work.failures + 1, jitter)
        return None

    def _remember(self, ended: CycleEnded, *, is_success: bool) -> None:
        infra, now = ended.key.name, self.worker_pool.now()
        before = self.state.last_cycles.get(infra)
        self.state.last_cycles[infra] = LastCycle(
            at=now,
            commit=ended.commit,
            result=ended.result,
            sentence=ended.sentence,
            is_known=ended.error is None,
            due=None if ended.retry is None else now + ended.retry,
            success_at=now if is_success else before.success_at if before else None,
        )

    # The work that follows

    def _follow_up(
        self, workspace: ServedWorkspace, work: Work, ended: CycleEnded, report: Report | None
    ) -> None:
        """Queue the infras that depend on what changed, and report to the forge."""
        has_run = ended.run is not None
        self.watches.count(work, has_run=has_run)
        if workspace.is_at_forge:
            self.statuses.report(ended)
        if report is None:
            return
        violations = report.plan_result.violations
        is_rewound = any(violation.code == REWOUND for violation in violations)
        if report.conclusion is Conclusion.INTERRUPTED or is_rewound:
            self.request_fetch()  # there may be a newer commit
        reason = f"{work.key.name} was applied"
        if workspace.is_at_forge:
            self._publish_drift(workspace, report)
            if has_run or violations:
                self.worker_pool.add(Key(self.state.name, Topic.CLOSED, ""), Urgency.REVIEW, reason)
        if has_run:
            dependents = workspace.list_dependents(work.key.name, report.plan_result.view)
            self.worker_pool.add_all(map(self.state.get_key, dependents), Urgency.PUSH, reason)

    def _publish_drift(self, workspace: ServedWorkspace, report: Report) -> None:
        try:
            workspace.publish_drift(report)
        except ProvisioningError as exc:
            self.notify(ForgeCallFailed(workspace=self.state.name, error=exc))

    # A review

    def _review(self, work: Work, workspace: ServedWorkspace) -> Ending:
        began, error, retry = self.worker_pool.now(), None, None
        try:
            reviewer = workspace.build_reviewer()
            if work.key.topic is Topic.PULL:
                reviews = [reviewer.review(int(work.key.name))]
            else:
                reviews = reviewer.review_closed()
            for infra in {infra for review in reviews for infra in review.due}:
                key = self.state.get_key(infra)
                self.worker_pool.add(key, Urgency.DRIFT, "a review is complete")
        except ProvisioningError as exc:
            error = exc
            retry = compute_retry(exc, work.failures + 1, random.random())  # noqa: S311
        seconds = self.worker_pool.now() - began
        self.notify(PullsReviewed(key=work.key, seconds=seconds, retry=retry, error=error))
        return Ending(is_good=error is None, retry=retry)

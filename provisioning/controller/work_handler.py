"""Does one piece of work: a cycle of one infra, or a review; and asks for what follows from it."""

from __future__ import annotations

import random
from collections.abc import Callable

import msgspec

from provisioning.controller.commit_statuses import CommitStatuses
from provisioning.controller.events import (
    CycleBegun,
    CycleEnded,
    CycleTold,
    EventSink,
    ForgeUntold,
    PullsReviewed,
    describe_cycle,
)
from provisioning.controller.watches import WatchRegistry
from provisioning.controller.worker_pool import WorkerPool
from provisioning.controller.workspace_state import (
    CommitProgress,
    Last,
    OpenWorkspace,
    WorkspaceState,
)
from provisioning.core.model.errors import LockHeld, ProvisioningError
from provisioning.core.policy.builtin_gates import REWOUND
from provisioning.core.scheduling.backoff import compute_backoff, compute_retry
from provisioning.core.scheduling.workqueue import Ending, Key, Topic, Urgency, Work
from provisioning.reconciler.events import Event
from provisioning.reconciler.execution.cancellation import Cancellation
from provisioning.reconciler.planning.plan_result import Conclusion, Report, RunRequest
from provisioning.reconciler.resync import GOOD


class WorkHandler(msgspec.Struct, frozen=True, kw_only=True):
    """The work on one workspace; called from the crew's threads, one key at a time.

    *hint* lets the workspace be looked at for news.
    """

    kept: WorkspaceState
    worker_pool: WorkerPool
    watching: WatchRegistry
    statuses: CommitStatuses
    hint: Callable[[], None]
    tell: EventSink
    stop: Cancellation

    def work(self, work: Work) -> Ending:
        """Do one piece of work."""
        towards = self.kept.towards
        if towards is None:
            return Ending(is_good=True)
        if work.key.topic is not Topic.INFRA:
            return self._review(work, towards.workspace)
        if work.key.name not in towards.infras:
            return Ending(is_good=True)
        ended = self._run(work, towards)
        self._note(ended)
        self.tell(ended)
        self._follow_up(towards.workspace, ended)
        is_held = isinstance(ended.error, LockHeld)
        return Ending(_is_good(ended.report), ended.retry, is_failure=not is_held)

    # A cycle

    def _run(self, work: Work, towards: CommitProgress) -> CycleEnded:
        began = self.worker_pool.now()
        waited = began - work.ready_since
        self.tell(CycleBegun(work=work, commit=towards.commit, waited=waited))
        report, error, looked = None, None, 0.0
        is_known = self.kept.is_known(work.key.name)
        is_locked = self.kept.is_locked(work.key.name)
        try:
            reconciler = towards.workspace.build_reconciler(
                work.key.name, towards.commit, stop=self.stop, listener=self._listen(work.key)
            )
            request = RunRequest(commit=towards.commit, reason=work.reason)
            view = reconciler.log.read_local() if is_known else reconciler.log.read()
            self.watching.follow(reconciler, view)
            plan_result = reconciler.look(request, view)
            looked = self.worker_pool.now() - began
            self.worker_pool.sign(work.key)
            report = reconciler.reconcile(request, plan_result)
            if report.run is not None:
                self.watching.follow_anew(reconciler)
        except ProvisioningError as exc:
            error = exc
        now = self.worker_pool.now()
        return CycleEnded(
            work=work,
            commit=towards.commit,
            looked=looked,
            seconds=now - began,
            since_asked=now - work.since,
            retry=self._compute_retry(work, report, error),
            report=report,
            error=error,
            is_repeated=is_locked and isinstance(error, LockHeld),
        )

    def _listen(self, key: Key) -> Callable[[Event], None]:
        def listen(event: Event) -> None:
            self.worker_pool.sign(key)
            self.tell(CycleTold(key=key, event=event))

        return listen

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

    def _note(self, ended: CycleEnded) -> None:
        infra, now = ended.work.key.name, self.worker_pool.now()
        before = self.kept.last.get(infra)
        self.kept.last[infra] = Last(
            at=now,
            commit=ended.commit,
            result=ended.result,
            sentence=describe_cycle(ended),
            is_known=ended.error is None,
            due=None if ended.retry is None else now + ended.retry,
            good_at=now if _is_good(ended.report) else before.good_at if before else None,
        )

    # What follows

    def _follow_up(self, workspace: OpenWorkspace, ended: CycleEnded) -> None:
        """Ask for what follows: a look at those that read what changed, and what people see."""
        report = ended.report
        has_run = report is not None and report.run is not None
        self.watching.count(ended.work, has_run=has_run)
        if workspace.is_at_forge:
            self.statuses.show(ended)
        if report is None:
            return
        if report.conclusion is Conclusion.INTERRUPTED or any(
            violation.code == REWOUND for violation in report.plan_result.violations
        ):
            self.hint()  # there may be a commit that we have not heard of yet
        told = f"{ended.work.key.name} was applied"
        if workspace.is_at_forge:
            self._tell_drift(workspace, report)
            if has_run or report.plan_result.violations:
                self.worker_pool.add(Key(self.kept.name, Topic.CLOSED, ""), Urgency.REVIEW, told)
        if has_run:
            readers = workspace.list_readers(ended.work.key.name, report.plan_result.view)
            self.worker_pool.add_all(map(self.kept.get_key, readers), Urgency.PUSH, told)

    def _tell_drift(self, workspace: OpenWorkspace, report: Report) -> None:
        try:
            workspace.tell_drift(report)
        except ProvisioningError as exc:
            self.tell(ForgeUntold(workspace=self.kept.name, error=exc))

    # A review

    def _review(self, work: Work, workspace: OpenWorkspace) -> Ending:
        began, error, retry = self.worker_pool.now(), None, None
        try:
            reviewer = workspace.build_reviewer()
            if work.key.topic is Topic.PULL:
                found = [reviewer.review(int(work.key.name))]
            else:
                found = reviewer.review_closed()
            for infra in {infra for item in found for infra in item.due}:
                self.worker_pool.add(
                    self.kept.get_key(infra), Urgency.DRIFT, "a review is complete"
                )
        except ProvisioningError as exc:
            error = exc
            retry = compute_retry(exc, work.failures + 1, random.random())  # noqa: S311
        seconds = self.worker_pool.now() - began
        self.tell(PullsReviewed(work=work, seconds=seconds, retry=retry, error=error))
        return Ending(is_good=error is None, retry=retry)


def _is_good(report: Report | None) -> bool:
    return report is not None and report.conclusion in GOOD

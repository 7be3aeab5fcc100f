"""Applies a plan: takes the lock, executes the operations, and records the run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from provisioning.core.model.errors import Fenced, ProvisioningError, StorageFailed
from provisioning.core.model.ids import CommitId, RunId
from provisioning.core.model.masked import Masked
from provisioning.core.model.records import Begin, Change, Holder, Inputs, Intent, Lock, Result, Run
from provisioning.core.plan.plan import Plan
from provisioning.core.statelog.entries import compute_result
from provisioning.core.statelog.transitions import LogView, build_run_id, next_token
from provisioning.localstore.journal import Journal, remove_journals
from provisioning.reconciler.context import InfraContext
from provisioning.reconciler.events import Event, EventKind, Listener
from provisioning.reconciler.execution.cancellation import Cancellation
from provisioning.reconciler.execution.lease import Lease, check_unlocked, render_time
from provisioning.reconciler.execution.recovery import build_inherited, keep_unfinished
from provisioning.reconciler.planning.plan_result import PlanResult, RunRequest

if TYPE_CHECKING:
    from provisioning.core.plan.operations import Operation


class Runner(Masked, frozen=True, kw_only=True):
    """Runs plans of one infra.

    Args:
        context: The infra.
        holder: This process.
        nonce: Gives random bytes.
        stop: Asks a run to stop.
        is_superseded: Tells whether a newer commit than the given one has come.
        listener: Is notified of what happens.
    """

    context: InfraContext
    holder: Holder
    nonce: Callable[[], bytes]
    stop: Cancellation
    is_superseded: Callable[[CommitId], bool]
    listener: Listener

    def run(self, planned: PlanResult, request: RunRequest) -> Run:
        """Apply *planned*, and record the run.

        Raises:
            LockHeld: If somebody else holds the lock.
            HeadMoved: If the state log is no longer what *planned* was computed from.
            Fenced: If the lock was lost under way.
            StorageFailed: If the run could not be recorded.
        """
        from provisioning.core.plan.operations import compute_operations
        from provisioning.core.plan.waves import arrange_waves

        self._check_lock(planned)
        operations = arrange_waves(compute_operations(planned.plan))
        lease = self.acquire(planned, request, operations)
        try:
            return self._run(planned, request, operations, lease)
        finally:
            lease.close()

    def notify(self, kind: EventKind, text: str, run: RunId | None = None) -> None:
        """Notify the listener of an event of the infra."""
        self.listener(Event(kind=kind, infra=self.context.infra, run=run, text=text))

    def begin(
        self,
        view: LogView,
        plan: Plan,
        reason: str,
        *,
        list_intents: Callable[[RunId], Iterable[Intent]] = lambda _: (),
        inputs: Inputs | None = None,
    ) -> Lease:
        """Take the lock, and record that a run of *plan* begins.

        Raises:
            HeadMoved: If the state log is no longer at *view*.
        """
        context, token = self.context, next_token(view)
        run = build_run_id(token, self.nonce())
        now = render_time(context.clocks.wall())
        begin = Begin(
            run=run,
            actor=self.holder.user,
            reason=reason,
            commit=plan.commit,
            digest=plan.digest,
            started_at=now,
            intents=tuple(list_intents(run)),
            inputs=inputs,
        )
        lock = context.settings.lock_ttl and Lock(
            token=token,
            holder=self.holder,
            reason=reason,
            acquired_at=now,
            renewed_at=now,
            ttl=context.settings.lock_ttl,
            run=run,
        )
        return Lease(context.log, view, lock or None, begin, context.clocks)

    def build_run(
        self,
        lease: Lease,
        changes: tuple[Change, ...],
        *,
        result: Result = Result.DONE,
        base: CommitId | None = None,
        allowed: tuple[str, ...] = (),
    ) -> Run:
        """Build the record of the run that *lease* began."""
        begin = lease.begin
        return Run(
            run=begin.run,
            actor=begin.actor,
            reason=begin.reason,
            commit=begin.commit,
            digest=begin.digest,
            result=result,
            started_at=begin.started_at,
            finished_at=render_time(self.context.clocks.wall()),
            changes=changes,
            allowed=allowed,
            base=base,
        )

    def _check_lock(self, planned: PlanResult) -> None:
        lock, lock_status = planned.view.lock, planned.lock_status
        check_unlocked(self.context.infra, lock, lock_status)
        if lock and lock_status:
            text = f"{lock.holder} is {lock_status.standing}; taking over"
            self.notify(EventKind.TAKEN_OVER, text)

    def acquire(
        self, planned: PlanResult, request: RunRequest, operations: Sequence[Operation]
    ) -> Lease:
        """Begin the run of *planned*, with the intents of *operations* and of interrupted runs."""
        from provisioning.core.plan.inputs import compute_inputs
        from provisioning.reconciler.execution.operation_runner import foresee_intent

        context = self.context

        def list_intents(run: RunId) -> Iterable[Intent]:
            own = (foresee_intent(operation, run, context.kinds) for operation in operations)
            return (*own, *build_inherited(planned.recorded.unfinished))

        inputs = compute_inputs(
            planned.plan,
            planned.desired,
            planned.recorded,
            planned.live,
            kinds=context.kinds,
            owner=context.owner,
            key=context.key,
            targets=request.targets,
            excludes=request.excludes,
            corrects=request.corrects,
        )
        lease = self.begin(
            planned.view, planned.plan, request.reason, list_intents=list_intents, inputs=inputs
        )
        count, run = len(planned.plan.changes), lease.begin.run
        text = f"run {run.partition('-')[0]}: {count} change{'s' * (count != 1)}"
        self.notify(EventKind.RUN_BEGUN, text, run)
        return lease

    def _run(
        self,
        planned: PlanResult,
        request: RunRequest,
        operations: Sequence[Operation],
        lease: Lease,
    ) -> Run:
        from provisioning.reconciler.execution.executor import Executor
        from provisioning.reconciler.execution.operation_runner import OperationRunner

        context = self.context
        journal = Journal(context.journals, lease.begin.run)
        try:
            execution = Executor(
                OperationRunner(context, planned, lease, journal),
                operations,
                stop=self.stop,
                is_superseded=lambda: self.is_superseded(request.base or request.commit),
                listener=self.listener,
            ).execute()
        finally:
            journal.close()
        if execution.fenced:
            raise execution.fenced
        run = self.build_run(
            lease,
            execution.changes,
            result=compute_result(failed=execution.has_failed, interrupted=execution.interrupted),
            base=request.base,
            allowed=tuple(request.allow),
        )
        unfinished = keep_unfinished(planned.recorded, planned.live, execution, context.owner)
        records = {**execution.records, **unfinished}
        try:
            view = lease.record(run, records)
        except Fenced:
            raise
        except ProvisioningError as exc:
            made = sum(1 for change in run.changes if change.error is None)
            raise StorageFailed(
                f"{made} of {len(run.changes)} changes were made, but could not be recorded: "
                f"{exc.message}",
                hint=f"nothing is lost, {journal.path} has them; "
                "mend that and run `provisioning reconcile`",
            ) from exc
        remove_journals([*planned.journals, journal.path])
        if planned.cache_update and run.result is Result.DONE:
            after = context.log.open_records(view)
            planned.cache_update.save_after(planned.recorded, planned.plan, records, after)
        self.notify(EventKind.RUN_RECORDED, f"run {run.number} {run.result}", run.run)
        return run

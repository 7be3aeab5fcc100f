"""One cycle, from left to right: source, compile, observe, plan, gate, apply, record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from provisioning.core.expressions.references import Lookup
from provisioning.core.model.errors import HeadMoved, LockHeld, ProvisioningError
from provisioning.core.model.ids import CommitId, ResourceId, RunId
from provisioning.core.model.kinds import Kind
from provisioning.core.model.masked import Masked
from provisioning.core.model.providers import Provider
from provisioning.core.model.records import Action, Begin, Holder, Inputs, Lock, Result, Run
from provisioning.core.model.states import DesiredState
from provisioning.core.plan.plan import Plan
from provisioning.core.policy.approvals import ReviewedEffects
from provisioning.core.policy.conflicts import REACH, block_conflicts
from provisioning.core.policy.gates import Gate, GateContext, compute_violations
from provisioning.core.policy.suspensions import block_suspended, get_suspension
from provisioning.core.statelog.entries import compute_result
from provisioning.core.statelog.lock_expiry import LockStatus
from provisioning.core.statelog.transitions import LogView, build_run_id, next_token
from provisioning.gitstore.statelog.git_statelog import StateLog
from provisioning.localstore.journal import (
    Journal,
    list_journals,
    read_unfinished,
    remove_journals,
)
from provisioning.reconciler.events import Event, EventKind, Listener
from provisioning.reconciler.execution.cancellation import Cancellation
from provisioning.reconciler.execution.lease import Clocks, Lease, render_time
from provisioning.reconciler.execution.recovery import build_inherited, compute_kept
from provisioning.reconciler.planning.cross_infra import CrossInfraReader
from provisioning.reconciler.planning.plan_result import (
    PlanResult,
    Report,
    RunRequest,
    Settings,
    conclude,
)
from provisioning.reconciler.planning.planner import (
    CommitHistory,
    Manifests,
    Planner,
    PlanningState,
)
from provisioning.reconciler.refusals import (
    describe_changed_plan,
    describe_held,
    describe_unrecorded,
)

if TYPE_CHECKING:
    from provisioning.core.plan.operations import Operation
    from provisioning.reconciler.execution.outcomes import Execution

REPLANS = 8
"""How often a plan is computed again because somebody else wrote to the state log meanwhile."""


class Reconciler(Masked, frozen=True, kw_only=True):
    """Keeps one infra equal to Git. All it needs is in its arguments; see `bootstrap`.

    Args:
        infra: Its name.
        workspace: The workspace's id.
        history: Tells which commit follows which.
        log: The infra's state log.
        compiler: Reads the manifests.
        kinds: The kinds of all providers.
        providers: By name.
        lookup: Answers interpolations that are not about resources.
        key: The key of fingerprints.
        holder: This process.
        journals: The folder of this infra's journals.
        plan_cache: The file that keeps what looks found settled.
        cross_infra: Tells of the other infras.
        judge: Judges a lock.
        read_reviewed: Tells what was reviewed up to a commit, if anybody asks for reviews.
        gates: The gates that a plan must pass, in order.
        nonce: Gives random bytes.
        settings: What the configuration says.
        stop: Asks the cycle to stop.
        is_superseded: Tells whether a newer commit has come.
        listener: Is told what happens.
        clocks: The clocks.
    """

    infra: str
    workspace: str
    history: CommitHistory
    log: StateLog
    compiler: Manifests
    kinds: Mapping[str, Kind]
    providers: Mapping[str, Provider]
    lookup: Lookup
    key: bytes
    holder: Holder
    journals: Path
    plan_cache: Path
    cross_infra: CrossInfraReader
    judge: Callable[[Lock], LockStatus]
    read_reviewed: Callable[[LogView, CommitId], ReviewedEffects | None]
    gates: Sequence[Gate]
    nonce: Callable[[], bytes]
    settings: Settings
    stop: Cancellation
    is_superseded: Callable[[CommitId], bool]
    listener: Listener
    clocks: Clocks

    @property
    def owner(self) -> str:
        """The part of every ownership mark that names this infra."""
        return f"{self.workspace}/{self.infra}"

    def reconcile(self, request: RunRequest, plan_result: PlanResult | None = None) -> Report:
        """Make the world what *request* asks for.

        Args:
            request: What is asked for.
            plan_result: A look just taken, which spares the first one.

        Raises:
            LockHeld: If somebody else holds the lock, and there is something to do.
            PlanChanged: If the plan is not the approved one.
            Fenced: If the lock was lost under way.
        """
        for _ in range(REPLANS):
            seen, plan_result = plan_result or self.look(request), None
            try:
                return self.act(seen, request)
            except HeadMoved:
                self._tell(EventKind.REPLANNED, "somebody else wrote to the state log")
        raise LockHeld(
            f"the state log of {self.infra} moved each of {REPLANS} times it was read",
            hint=f"`provisioning log {self.infra}` shows who writes to it; try again",
        )

    # Looking

    def look(self, request: RunRequest, view: LogView | None = None) -> PlanResult:
        """Compile, observe, plan and gate, without a lock and without changing anything.

        Args:
            request: What is asked for.
            view: The state log as it was just fetched, which spares reading it.
        """
        view, journals = view or self.log.read(), list_journals(self.journals)
        cut_off = read_unfinished(journals)
        records = self.log.open_records(view)
        eyes = replace(self.eyes, corrects=request.corrects)
        sight = eyes.look(request.commit, records, view.begin, cut_off)
        plan = sight.plan
        if request.targets or request.excludes:
            from provisioning.core.policy.targeting import target_plan

            plan = target_plan(plan, request.targets, request.excludes)
        plan = block_suspended(plan, view.suspended, render_time(self.clocks.wall()))
        history = self.log.read_history(REACH)
        plan = block_conflicts(plan, history, view.suspended, request.corrects)
        now = self._read_circumstances(view, sight, plan)
        return PlanResult(
            plan=plan,
            violations=compute_violations(plan, now, request.allow, gates=self.gates),
            desired=sight.desired,
            recorded=sight.recorded,
            live=sight.live,
            view=view,
            lock_status=self.judge(view.lock) if view.lock else None,
            reviewed=now.reviewed,
            journals=journals,
            cache_update=sight.cache_update,
        )

    @property
    def eyes(self) -> Planner:
        """What looks at the three states."""
        return Planner(
            infra=self.infra,
            workspace=self.workspace,
            compiler=self.compiler,
            kinds=self.kinds,
            providers=self.providers,
            lookup=self.lookup,
            key=self.key,
            plan_cache=self.plan_cache,
            cross_infra=self.cross_infra,
        )

    def read_desired(self, commit: CommitId) -> DesiredState:
        """Compile and check the desired state at *commit*; look at nothing else."""
        return self.eyes.read_desired(commit)

    def _read_circumstances(self, view: LogView, sight: PlanningState, plan: Plan) -> GateContext:
        applied = (view.run.base or view.run.commit) if view.run else None
        commit = sight.desired.commit
        asks_for_news = any(not change.heals for change in plan.changes)
        time = self.clocks.wall()
        return GateContext(
            applied=applied,
            descends=applied is None
            or applied == commit
            or self.history.is_ancestor(applied, commit),
            desired=sight.desired_count,
            recorded=sight.recorded_count,
            reviewed=self.read_reviewed(view, commit) if asks_for_news else None,
            suspended=get_suspension(view.suspended, render_time(time)),
            budget=self.settings.budget,
            dependents=self._count_dependents(view, plan),
            kinds=self.kinds,
            windows=self.settings.windows,
            time=time,
        )

    def _count_dependents(self, view: LogView, plan: Plan) -> Mapping[ResourceId, int]:
        """Count what depends on what is replaced; the look may have left out what is settled."""
        if not any(change.action is Action.REPLACE for change in plan.changes):
            return {}
        from provisioning.core.policy.budgets import compute_dependents

        return compute_dependents(plan, self.log.open_records(view).read_all())

    # Acting

    def act(self, plan_result: PlanResult, request: RunRequest) -> Report:
        """Apply what *plan_result* holds.

        Raises:
            HeadMoved: If the state log is no longer what *plan_result* was computed from.
        """
        if request.digest and plan_result.plan.digest != request.digest:
            raise describe_changed_plan(self.infra)
        if not plan_result.has_work:
            return self._conclude_unchanged(plan_result)
        if plan_result.violations:
            return Report(conclusion=conclude(plan_result, None), plan_result=plan_result)
        from provisioning.core.plan.operations import compute_operations
        from provisioning.core.plan.waves import arrange_waves

        self._check_lock(plan_result)
        operations = arrange_waves(compute_operations(plan_result.plan))
        lease = self._acquire(plan_result, request, operations)
        try:
            run = self._run(plan_result, request, operations, lease)
        finally:
            lease.close()
        return Report(conclusion=conclude(plan_result, run), plan_result=plan_result, run=run)

    def _conclude_unchanged(self, plan_result: PlanResult) -> Report:
        if not plan_result.is_blocked and not plan_result.view.is_cut_off:
            remove_journals(plan_result.journals)
        return Report(conclusion=conclude(plan_result, None), plan_result=plan_result)

    def _check_lock(self, plan_result: PlanResult) -> None:
        lock, lock_status = plan_result.view.lock, plan_result.lock_status
        if lock is None or lock_status is None:
            return
        if lock_status.is_held:
            raise describe_held(self.infra, lock, lock_status)
        self._tell(EventKind.TAKEN_OVER, f"{lock.holder} is {lock_status.standing}; taking over")

    def _acquire(
        self, plan_result: PlanResult, request: RunRequest, operations: Sequence[Operation]
    ) -> Lease:
        from provisioning.reconciler.execution.operation_runner import foresee_intent

        token = next_token(plan_result.view)
        run = build_run_id(token, self.nonce())
        now = render_time(self.clocks.wall())
        own = (foresee_intent(operation, run, self.kinds) for operation in operations)
        begin = Begin(
            run=run,
            actor=self.holder.user,
            reason=request.reason,
            commit=request.commit,
            digest=plan_result.plan.digest,
            started_at=now,
            intents=(*own, *build_inherited(plan_result.recorded.unfinished)),
            inputs=self._compute_inputs(plan_result, request),
        )
        lock = self.settings.lock_ttl and Lock(
            token=token,
            holder=self.holder,
            reason=request.reason,
            acquired_at=now,
            renewed_at=now,
            ttl=self.settings.lock_ttl,
            run=run,
        )
        lease = Lease(self.log, plan_result.view, lock or None, begin, self.clocks)
        count = len(plan_result.plan.changes)
        self._tell(EventKind.RUN_BEGUN, f"run {token}: {count} change{'s' * (count != 1)}", run)
        return lease

    def _compute_inputs(self, plan_result: PlanResult, request: RunRequest) -> Inputs:
        from provisioning.core.plan.inputs import compute_inputs

        return compute_inputs(
            plan_result.plan,
            plan_result.desired,
            plan_result.recorded,
            plan_result.live,
            kinds=self.kinds,
            owner=self.owner,
            key=self.key,
            narrowing=(request.targets, request.excludes),
        )

    def _run(
        self,
        plan_result: PlanResult,
        request: RunRequest,
        operations: Sequence[Operation],
        lease: Lease,
    ) -> Run:
        journal = Journal(self.journals, lease.begin.run)
        try:
            execution = self._execute(plan_result, request, operations, lease, journal)
        finally:
            journal.close()
        if execution.fenced:
            raise execution.fenced
        run = self._build_run(request, lease, execution)
        kept = compute_kept(plan_result.recorded, plan_result.live, execution, self.owner)
        records = {**execution.records, **kept}
        try:
            view = lease.record(run, records)
        except ProvisioningError as exc:
            raise describe_unrecorded(run, exc, journal.path) from exc
        remove_journals([*plan_result.journals, journal.path])
        if plan_result.cache_update and run.result is Result.DONE:
            after = self.log.open_records(view)
            plan_result.cache_update.keep_after(
                plan_result.recorded, plan_result.plan, records, after
            )
        self._tell(EventKind.RUN_RECORDED, f"run {run.number} {run.result}", run.run)
        return run

    def _execute(
        self,
        plan_result: PlanResult,
        request: RunRequest,
        operations: Sequence[Operation],
        lease: Lease,
        journal: Journal,
    ) -> Execution:
        from provisioning.reconciler.execution.executor import Executor
        from provisioning.reconciler.execution.operation_runner import OperationRunner

        runner = OperationRunner(
            run=lease.begin.run,
            workspace=self.workspace,
            desired=plan_result.desired,
            kinds=self.kinds,
            providers=self.providers,
            journal=journal,
            lease=lease,
            key=self.key,
            timeout=self.settings.timeout,
            known=dict(plan_result.plan.known_values),
            redactor=plan_result.desired.build_redactor(),
        )
        return Executor(
            runner,
            operations,
            limits=self.settings.limits,
            stop=self.stop,
            is_superseded=lambda: self.is_superseded(request.base or request.commit),
            listener=self.listener,
            clocks=self.clocks,
        ).execute()

    def _build_run(self, request: RunRequest, lease: Lease, execution: Execution) -> Run:
        begin = lease.begin
        return Run(
            run=begin.run,
            actor=begin.actor,
            reason=begin.reason,
            commit=begin.commit,
            digest=begin.digest,
            result=compute_result(failed=execution.has_failed, interrupted=execution.interrupted),
            started_at=begin.started_at,
            finished_at=render_time(self.clocks.wall()),
            changes=execution.changes,
            allowed=tuple(request.allow),
            base=request.base,
        )

    def _tell(self, kind: EventKind, text: str, run: RunId | None = None) -> None:
        self.listener(Event(kind=kind, infra=self.infra, run=run, text=text))

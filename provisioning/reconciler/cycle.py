"""One cycle, from left to right: source, compile, observe, plan, gate, apply, record."""

from __future__ import annotations

from provisioning.core.model.errors import HeadMoved, LockHeld, PlanChanged
from provisioning.core.model.masked import Masked
from provisioning.core.statelog.transitions import LogView
from provisioning.localstore.journal import remove_journals
from provisioning.reconciler.context import InfraContext
from provisioning.reconciler.events import EventKind
from provisioning.reconciler.execution.runner import Runner
from provisioning.reconciler.gatekeeper import Gatekeeper
from provisioning.reconciler.planning.plan_result import PlanResult, Report, RunRequest
from provisioning.reconciler.planning.planner import Planner

REPLANS = 8
"""How often a plan is computed again because somebody else wrote to the state log meanwhile."""


class Reconciler(Masked, frozen=True, kw_only=True):
    """Keeps the infra of *context* equal to Git; see `bootstrap`."""

    context: InfraContext
    planner: Planner
    gatekeeper: Gatekeeper
    runner: Runner

    def plan(self, request: RunRequest, view: LogView | None = None) -> PlanResult:
        """Compile, observe, plan and gate, without a lock and without changing anything.

        *view* is the state log if it was just fetched, which spares reading it.
        """
        return self.gatekeeper.check(self.planner.plan(request, view), request)

    def reconcile(self, request: RunRequest, planned: PlanResult | None = None) -> Report:
        """Make the world what *request* asks for; *planned* is its plan, if just computed.

        Raises:
            LockHeld: If somebody else holds the lock, and there is something to do.
            PlanChanged: If the plan is not the approved one.
            Fenced: If the lock was lost under way.
        """
        for _ in range(REPLANS):
            current, planned = planned or self.plan(request), None
            try:
                return self.apply(current, request)
            except HeadMoved:
                self.runner.notify(EventKind.REPLANNED, "somebody else wrote to the state log")
        infra = self.context.infra
        raise LockHeld(
            f"the state log of {infra} moved each of {REPLANS} times it was read",
            hint=f"`provisioning log {infra}` shows who writes to it; try again",
        )

    def apply(self, planned: PlanResult, request: RunRequest) -> Report:
        """Apply *planned*, unless a gate is in the way or there is nothing to do.

        Raises:
            HeadMoved: If the state log is no longer what *planned* was computed from.
        """
        infra = self.context.infra
        if request.digest and planned.plan.digest != request.digest:
            raise PlanChanged(
                f"what would be applied to {infra} now is not what was approved",
                hint=f"`provisioning plan {infra}` shows the plan as it is now; approve that one",
            )
        if planned.has_work and not planned.violations:
            return Report(planned, self.runner.run(planned, request))
        if not planned.has_work and not planned.is_blocked and not planned.view.is_cut_off:
            remove_journals(planned.journals)
        return Report(planned)

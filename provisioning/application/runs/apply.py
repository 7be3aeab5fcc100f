"""`apply` and `reconcile`: make infras equal to Git."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from provisioning.application.context import Context, InfraEnded, InfraRequest, Planned
from provisioning.application.runs.forge_updates import update_forge
from provisioning.application.selection import InfraSelection, select_infras
from provisioning.core.model.ids import CommitId
from provisioning.core.model.values import Digest
from provisioning.reconciler.planning.plan_result import Report, RunRequest
from provisioning.reconciler.resync import ResyncResult, resync

if TYPE_CHECKING:
    from provisioning.reconciler.events import Event


class RunResults(msgspec.Struct, frozen=True, kw_only=True):
    """The end of each infra's run; `is_interrupted` if some were therefore not begun."""

    results: tuple[ResyncResult, ...]
    is_interrupted: bool = False

    @property
    def reports(self) -> tuple[Report, ...]:
        """The reports of the infras that could be planned."""
        return tuple(result.report for result in self.results if result.report)


class ApplyRequest(InfraRequest[RunResults], frozen=True, kw_only=True):
    """Apply the plan of *infra*, or of all.

    Args:
        reason: Why, for the state log.
        targets: Patterns of the only resources to change.
        excludes: Patterns of resources to leave alone.
        allow: The codes of gates that may be passed.
        asks: True to ask before each infra that has changes.
        commit: The commit of a saved plan; the newest one by default.
        digest: The digest of the plan that was approved; another plan is not applied.
    """

    reason: str = "apply"
    targets: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    asks: bool = False
    commit: CommitId | None = None
    digest: Digest | None = None


class ApplyPullRequest(InfraRequest[RunResults], frozen=True, kw_only=True):
    """Apply what pull request *number* shows, of *infra* or of all that it touches."""

    number: int


class ReconcileRequest(InfraRequest[RunResults], frozen=True, kw_only=True):
    """Reconcile *infra*, or all; *allow* are the codes of gates that may be passed."""

    reason: str = "reconcile"
    allow: tuple[str, ...] = ()


def apply(request: ApplyRequest, context: Context) -> RunResults:
    """Plan, show and apply one infra after the other."""
    workspace = context.open_workspace()
    selection = select_infras(
        workspace, request.infra, recorded=False, commit=request.commit
    ).sort()
    run_request = RunRequest(
        commit=selection.commit,
        reason=request.reason,
        targets=request.targets,
        excludes=request.excludes,
        allow=request.allow,
        digest=request.digest,
    )
    return _run_in_turn(selection, run_request, context, asks=request.asks)


def apply_pull(request: ApplyPullRequest, context: Context) -> RunResults:
    """Apply what a pull request shows, which its reviewers approved."""
    workspace = context.open_workspace()
    reports = workspace.builders.reviewer(workspace).apply(request.number, request.infra)
    return RunResults(results=tuple(map(_wrap, reports)))


def reconcile(request: ReconcileRequest, context: Context) -> RunResults:
    """Reconcile infras after those that they refer to, and side by side where they do not."""
    workspace = context.open_workspace()
    selection = select_infras(workspace, request.infra, recorded=False)
    run_request = RunRequest(commit=selection.commit, reason=request.reason, allow=request.allow)
    if len(selection.infras) > 1:
        return _run_side_by_side(selection, run_request, context)
    return _run_in_turn(selection, run_request, context, asks=False)


def _wrap(report: Report) -> ResyncResult:
    return ResyncResult(infra=report.plan_result.plan.infra, report=report)


def _run_in_turn(
    selection: InfraSelection, run_request: RunRequest, context: Context, *, asks: bool
) -> RunResults:
    results: list[ResyncResult] = []
    is_interrupted = False
    for infra in selection.infras:
        is_interrupted = context.stop is not None and context.stop.is_requested
        if is_interrupted:
            break
        results.append(_wrap(_run_one(selection, infra, run_request, context, asks=asks)))
        context.notify(InfraEnded(results[-1]))
    return _end(selection, run_request, context, results, is_interrupted=is_interrupted)


def _run_one(
    selection: InfraSelection, infra: str, run_request: RunRequest, context: Context, *, asks: bool
) -> Report:
    reconciler = selection.workspace.build_reconciler(
        infra, run_request.commit, stop=context.stop, listener=context.notify
    )
    planned = reconciler.plan(run_request)
    context.notify(Planned(planned.plan, planned.violations))
    if planned.violations and planned.has_work:
        return Report(planned)
    if asks and planned.plan.changes:
        context.confirm(f"Apply this to {infra}?")
        return reconciler.reconcile(replace(run_request, digest=planned.plan.digest))
    return reconciler.reconcile(run_request, planned)


def _run_side_by_side(
    selection: InfraSelection, run_request: RunRequest, context: Context
) -> RunResults:
    workspace, stop = selection.workspace, context.stop

    def notify(event: Event) -> None:
        """Let *event* name its infra, since several are under way."""
        name = f"{event.infra} {event.id}" if event.id else None
        context.notify(replace(event, id=name, total=0))

    def run(infra: str) -> Report:
        reconciler = workspace.build_reconciler(
            infra, run_request.commit, stop=stop, listener=notify
        )
        return reconciler.reconcile(run_request)

    def is_stopped() -> bool:
        return stop is not None and stop.is_requested

    results: list[ResyncResult] = []
    needs = workspace.read_needs(run_request.commit, selection.infras)
    parallelism = workspace.settings.parallel_infras
    for result in resync(needs, run, parallelism=parallelism, is_stopped=is_stopped):
        results.append(result)
        context.notify(InfraEnded(result))
    return _end(selection, run_request, context, results, is_interrupted=is_stopped())


def _end(
    selection: InfraSelection,
    run_request: RunRequest,
    context: Context,
    results: Sequence[ResyncResult],
    *,
    is_interrupted: bool,
) -> RunResults:
    ended = RunResults(results=tuple(results), is_interrupted=is_interrupted)
    is_targeted = bool(run_request.targets or run_request.excludes)
    update_forge(selection.workspace, context, ended.reports, is_targeted=is_targeted)
    return ended

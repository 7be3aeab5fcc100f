"""`undo`: the desired state before a run, as a new commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from provisioning.application.context import Context, InfraRequest, Planned, UndoPlanned
from provisioning.application.selection import find_only, select_infras
from provisioning.core.model.ids import RunId
from provisioning.reconciler.explain.replay import find_run
from provisioning.reconciler.operations.undo import UndoPlan, prepare_undo
from provisioning.reconciler.planning.plan_result import RunRequest

if TYPE_CHECKING:
    from provisioning.application.workspace.workspace import Workspace
    from provisioning.core.plan.plan import Plan


class UndoResult(msgspec.Struct, frozen=True, kw_only=True):
    """The commit that undoes a run, the plan it leads to, and the pull request's address."""

    infra: str
    run: RunId
    branch: str
    undo_plan: UndoPlan
    plan: Plan
    url: str | None = None


class UndoRequest(InfraRequest[UndoResult], frozen=True, kw_only=True):
    """Undo *run*, which may be its number, by a commit on the branch."""

    run: str


class ProposeUndoRequest(UndoRequest, frozen=True, kw_only=True):
    """Undo *run*, which may be its number, by a pull request."""


def undo(request: UndoRequest, context: Context) -> UndoResult:
    """Show the plan that the commit leads to, ask, and publish the commit; apply nothing."""
    workspace = context.open_workspace()
    found = _prepare(workspace, request, context)
    context.confirm(f"Commit this to {found.branch}?")
    workspace.commits.advance(found.undo_plan.commit)
    return found


def propose_undo(request: ProposeUndoRequest, context: Context) -> UndoResult:
    """Show the plan that the commit leads to, ask, and open the pull request, if none is open."""
    workspace = context.open_workspace()
    found = _prepare(workspace, request, context)
    proposer = workspace.builders.proposer(workspace)
    pull = proposer.find(found.undo_plan.trailer)
    if pull is None:
        context.confirm(f"Open a pull request to {found.branch}?")
        name = f"undo-{found.infra}-{found.run.partition('-')[0]}"
        pull = proposer.propose(name, found.undo_plan.commit, found.undo_plan.message)
    return replace(found, url=pull.url)


def _prepare(workspace: Workspace, request: UndoRequest, context: Context) -> UndoResult:
    selection = select_infras(workspace, None)
    infra = find_only(selection.infras, request.infra)
    log = workspace.logs.build(infra)
    begun = find_run(workspace.commits.repository, log, request.run)
    previous = log.read_at(begun.before).run
    undo_plan = prepare_undo(
        infra,
        begun,
        previous,
        then=workspace.build_checkout(begun.begin.commit),
        old=workspace.build_checkout(previous.commit if previous else begun.begin.commit),
        now=workspace.build_checkout(selection.commit),
    )
    run_request = RunRequest(commit=undo_plan.commit, reason="undo")
    plan_result = workspace.build_reconciler(infra, undo_plan.commit).plan(run_request)
    context.notify(Planned(plan_result.plan, plan_result.violations))
    context.notify(UndoPlanned(undo_plan))
    return UndoResult(
        infra=infra,
        run=begun.begin.run,
        branch=workspace.settings.branch,
        undo_plan=undo_plan,
        plan=plan_result.plan,
    )

"""`reconcile --watch`: again and again, until stopped; one plain sentence a cycle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from provisioning.cli.render.errors import render_error
from provisioning.cli.render.progress import Progress
from provisioning.cli.telling import tell_forge
from provisioning.core.errors import ProvisioningError
from provisioning.core.ids import CommitId
from provisioning.core.sweeps import order_infras
from provisioning.reconciler.prospects import Report, Request
from provisioning.reconciler.stopping import Stop, stopping_on_signals

if TYPE_CHECKING:
    from provisioning.bootstrap import Workspace

POLL = 1.0
"""Seconds between two looks for a new commit in a local repository."""


def watch_workspace(workspace: Workspace, infra: str | None, allow: Sequence[str]) -> int:
    """Reconcile whenever a commit comes, and at the interval that `watch.interval` sets."""
    with stopping_on_signals(Stop()) as stop:
        while not stop.is_requested:
            commit = _reconcile_once(workspace, infra, allow, stop)
            _wait(workspace, commit, stop)
    click.echo("stopped", err=True)
    return 0


def _reconcile_once(
    workspace: Workspace, infra: str | None, allow: Sequence[str], stop: Stop
) -> CommitId | None:
    commit = None
    try:
        commit = workspace.read_commit()
        names = workspace.choose_infras(commit, infra)
        names = order_infras(workspace.read_needs(commit, names))
    except ProvisioningError as exc:
        click.echo(render_error(exc), err=True)
        return commit
    request = Request(commit=commit, reason="watch", allow=allow)
    reports = []
    for name in names:
        if stop.is_requested:
            break
        try:
            reconciler = workspace.build_reconciler(name, commit, stop=stop, listener=Progress())
            reports.append(reconciler.reconcile(request))
            click.echo(_tell(name, reports[-1]))
        except ProvisioningError as exc:
            click.echo(render_error(exc), err=True)
    tell_forge(workspace, reports, narrowed=False)
    return commit


def _wait(workspace: Workspace, commit: CommitId | None, stop: Stop) -> None:
    left = workspace.watch_interval
    while left > 0 and not stop.wait(min(POLL, left)):
        left -= POLL
        if commit is not None and workspace.is_superseded(commit):
            return


def _tell(name: str, report: Report) -> str:
    """Say in one sentence what a cycle did."""
    commit = report.prospect.plan.commit[:10]
    if report.run is None:
        count = len(report.prospect.plan.unchanged)
        blocked = len(report.prospect.plan.blocked) + len(report.prospect.verdicts)
        rest = f", {blocked} blocked" if blocked else ""
        return f"{name}: nothing to do at {commit}, {count} unchanged{rest}"
    counts: dict[str, int] = {}
    for change in report.run.changes:
        counts[change.outcome] = counts.get(change.outcome, 0) + 1
    story = ", ".join(f"{count} {outcome}" for outcome, count in counts.items()) or "no changes"
    return f"{name}: run {report.run.number} {report.run.result} at {commit}: {story}"

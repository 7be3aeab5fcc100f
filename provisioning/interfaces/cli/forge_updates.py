"""Tells the forge, after a run, what became of pull requests, and what has drifted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from provisioning.bootstrap import Workspace
    from provisioning.reconciler.planning.plan_result import PlanResult, Report


def tell_forge(workspace: Workspace, reports: Sequence[Report], *, narrowed: bool) -> None:
    """Show what *reports* tell, if there is a forge; it can be told later as well.

    A *narrowed* run does not know of every drift, and tells of none.
    """
    if workspace.forge is None:
        return
    from provisioning.bootstrap.reviews import is_drift_told

    looks = [] if narrowed else [report.plan_result for report in reports]
    looks = [look for look in looks if is_drift_told(workspace, look.plan)]
    is_news = any(report.run or report.plan_result.violations for report in reports)
    if not looks and not is_news:
        return
    from provisioning.core.model.errors import ProvisioningError

    try:
        _tell(workspace, looks, is_news=is_news)
    except ProvisioningError as exc:
        note = f"note: the forge was not told: {exc.message}; `provisioning review` tells it later"
        click.echo(click.style(note, fg="yellow"), err=True)


def _tell(workspace: Workspace, looks: Sequence[PlanResult], *, is_news: bool) -> None:
    from provisioning.bootstrap.reviews import build_reviewer
    from provisioning.reconciler.reviews.drift_pulls import build_infra_drift

    reviewer = build_reviewer(workspace)
    if looks:
        reviewer.drift_publisher.sync([build_infra_drift(look) for look in looks])
    if is_news:
        reviewer.review_closed()

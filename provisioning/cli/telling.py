"""Tells the forge, after a run, what became of pull requests, and what has drifted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from provisioning.bootstrap import Workspace
    from provisioning.core.plans import Plan
    from provisioning.reconciler.prospects import Prospect, Report


def tell_forge(workspace: Workspace, reports: Sequence[Report], *, narrowed: bool) -> None:
    """Show what *reports* tell, if there is a forge; it can be told later as well.

    A *narrowed* run does not know of every drift, and tells of none.
    """
    if workspace.forge is None:
        return
    looks = [] if narrowed else [each.prospect for each in reports]
    looks = [each for each in looks if _tells_of_drift(workspace, each.plan)]
    is_news = any(each.run or each.prospect.verdicts for each in reports)
    if not looks and not is_news:
        return
    from provisioning.core.errors import ProvisioningError

    try:
        _tell(workspace, looks, is_news=is_news)
    except ProvisioningError as exc:
        note = f"note: the forge was not told: {exc.message}; `provisioning review` tells it later"
        click.echo(click.style(note, fg="yellow"), err=True)


def _tells_of_drift(workspace: Workspace, plan: Plan) -> bool:
    """Tell whether a pull request about drift is wanted, or is there."""
    from provisioning.core.resources import DriftPolicy

    is_wanted = any(each.policy is DriftPolicy.PR for each in plan.drifted)
    return is_wanted or workspace.has_drift_branches(plan.infra)


def _tell(workspace: Workspace, looks: Sequence[Prospect], *, is_news: bool) -> None:
    from provisioning.bootstrap.reviews import build_reviewer
    from provisioning.reconciler.reviews.drifting import build_found

    reviewer = build_reviewer(workspace)
    if looks:
        reviewer.drifter.keep([build_found(each) for each in looks])
    if is_news:
        reviewer.review_closed()

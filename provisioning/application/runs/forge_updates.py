"""Updates the forge after a run: the end of pull requests, and what has drifted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from provisioning.application.context import Context, ForgeNotTold

if TYPE_CHECKING:
    from provisioning.application.workspace.workspace import Workspace
    from provisioning.core.plan.plan import Plan
    from provisioning.reconciler.planning.plan_result import Report


def update_forge(
    workspace: Workspace, context: Context, reports: Sequence[Report], *, is_targeted: bool
) -> None:
    """Show *reports* at the forge, if there is one; the next review makes up for a failure.

    A targeted run does not know every drift, and shows none.
    """
    if workspace.forge.repository is None:
        return
    drifted = [report.plan_result for report in reports if not is_targeted]
    drifted = [result for result in drifted if needs_drift_pull(workspace, result.plan)]
    has_ended = any(report.run or report.plan_result.violations for report in reports)
    if not drifted and not has_ended:
        return
    from provisioning.core.model.errors import ProvisioningError

    try:
        reviewer = workspace.builders.reviewer(workspace)
        if drifted:
            reviewer.drift_publisher.sync(drifted)
        if has_ended:
            reviewer.review_closed()
    except ProvisioningError as exc:
        context.notify(ForgeNotTold(exc.message))


def needs_drift_pull(workspace: Workspace, plan: Plan) -> bool:
    """Tell whether a pull request about drift is wanted, or is there."""
    from provisioning.core.model.resources import DriftPolicy

    if workspace.forge.repository is None:
        return False
    is_wanted = any(item.policy is DriftPolicy.PR for item in plan.drifted)
    return is_wanted or workspace.commits.has_drift_branches(plan.infra)

"""Applies pull requests, after or before their merge."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from provisioning.core.model.errors import Blocked, PlanChanged
from provisioning.core.model.ids import CommitId
from provisioning.core.model.values import Digest
from provisioning.core.policy.review_records import ReviewRecord
from provisioning.core.reviews.drift_pulls import DriftPlace
from provisioning.core.reviews.findings import InfraReview, PullReview
from provisioning.core.reviews.forge import State
from provisioning.reconciler.cycle import Reconciler
from provisioning.reconciler.planning.plan_result import Report, RunRequest
from provisioning.reconciler.resync import SUCCESSFUL
from provisioning.reconciler.reviews.context import ReviewContext


class Applier(msgspec.Struct, frozen=True, kw_only=True):
    """Applies pull requests.

    Args:
        build_reconciler: Builds the reconciler of an infra at a commit.
        build_early: Builds one at a commit that is itself under review.
        fetch: Fetches the branch, and returns its newest commit.
        approvals: How many approvals an apply before the merge needs.
    """

    context: ReviewContext
    build_reconciler: Callable[[str, CommitId], Reconciler]
    build_early: Callable[[str, CommitId], Reconciler]
    fetch: Callable[[], CommitId]
    approvals: int

    def apply(
        self, review: PullReview, record: ReviewRecord | None, infras: Sequence[str]
    ) -> list[Report]:
        """Apply *infras* of a reviewed pull request; *record* is the plan that was shown.

        Raises:
            Blocked: If an approval or a merge is missing.
            PlanChanged: If the plan is no longer the one that was shown.
        """
        number = review.pull.number
        if review.drift:
            return [self._correct_drift(review.drift, number)]
        if review.pull.merged:
            commit = self.fetch()
            request = RunRequest(commit=commit, reason=f"pull request #{number}")
            return [self.build_reconciler(infra, commit).reconcile(request) for infra in infras]
        if not review.applies_first:
            raise Blocked(
                f"#{number} is not merged, and is applied after its merge",
                hint="merge it, or set review.apply to before-merge",
            )
        self._check(review, record)
        return self._apply_and_merge(review, infras)

    def _correct_drift(self, drift: DriftPlace, number: int) -> Report:
        """Apply the desired state of the branch, not the pull request, to the one resource."""
        commit = self.fetch()
        request = RunRequest(
            commit=commit,
            reason=f"drift, pull request #{number}",
            targets=(drift.id,),
            corrects=frozenset({drift.id}),
        )
        return self.build_reconciler(drift.infra, commit).reconcile(request)

    def _check(self, review: PullReview, record: ReviewRecord | None) -> None:
        pull = review.pull
        if not review.is_trusted or review.state is not State.SUCCESS:
            raise Blocked(f"#{pull.number}: {review.headline}", hint="see its comment")
        missing = self.approvals - self.context.forge.count_approvals(pull.number, pull.head)
        if missing > 0:
            raise Blocked(
                f"#{pull.number} has not been approved at {pull.head[:10]}",
                hint="ask somebody other than its author for an approving review",
            )
        shown = {plan.infra: plan.digest for plan in record.plans} if record else {}
        changed = [
            infra.infra for infra in review.infras if _get_digest(infra) != shown.get(infra.infra)
        ]
        if record is None or record.head != pull.head or changed:
            names = ", ".join(changed) or "its branch has moved"
            raise PlanChanged(
                f"the plan of #{pull.number} is not the one that was shown: {names}",
                hint="read the new plan, and apply again",
            )

    def _apply_and_merge(self, review: PullReview, infras: Sequence[str]) -> list[Report]:
        pull = review.pull
        base = self.fetch()
        merge = self.context.repository.merge(base, pull.head)
        if merge.commit is None:
            raise Blocked(f"#{pull.number} conflicts with its base", hint="rebase it")
        reports = [
            self.build_early(infra.infra, merge.commit).reconcile(
                RunRequest(
                    commit=merge.commit,
                    base=base,
                    reason=f"pull request #{pull.number}",
                    digest=_get_digest(infra),
                )
            )
            for infra in review.infras
            if infra.infra in infras
        ]
        left = [infra for infra in review.infras if infra.infra not in infras and infra.calls]
        if not left and all(report.conclusion in SUCCESSFUL for report in reports):
            self.context.forge.merge_pull(pull.number, pull.head)
        return reports


def _get_digest(review: InfraReview) -> Digest | None:
    return review.plan.digest if review.plan else None

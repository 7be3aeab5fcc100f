"""Compares a plan with the reviews that it had. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from provisioning.core.model.values import Digest
from provisioning.core.plan.plan import Plan, PlannedChange
from provisioning.core.policy.review_records import NOTHING, ReviewRecord


class ReviewedEffects(msgspec.Struct, frozen=True, kw_only=True):
    """The reviewed effects of an infra: those that pull requests showed, and approved plans.

    The reviews of `unsigned` are not signed with the key that is here, and count for nothing.
    """

    pulls: tuple[int, ...] = ()
    unsigned: tuple[int, ...] = ()
    effects: frozenset[Digest] = frozenset()
    approved: frozenset[Digest] = frozenset()


def compute_reviewed(infra: str, reviews: Iterable[ReviewRecord]) -> ReviewedEffects:
    """Return the effects of *infra* that *reviews* cover."""
    pulls, unsigned, effects, approved = [], [], set(), set()
    for review in reviews:
        shown = [plan for plan in review.plans if plan.infra == infra]
        pulls += [review.pull]
        unsigned += [review.pull] if review.head == NOTHING else []
        effects |= {effect for item in shown for effect in item.effects}
        approved |= {approval.digest for approval in review.approvals if approval.infra == infra}
    return ReviewedEffects(
        pulls=tuple(pulls),
        unsigned=tuple(unsigned),
        effects=frozenset(effects),
        approved=frozenset(approved),
    )


def list_unreviewed(plan: Plan, reviewed: ReviewedEffects) -> tuple[PlannedChange, ...]:
    """Return the changes of *plan* that no review covers.

    A plan that was approved as a whole has none. A change that only corrects drift needs no
    review, because the desired state that it restores was reviewed.
    """
    if plan.digest in reviewed.approved:
        return ()
    return tuple(
        change
        for change in plan.changes
        if not change.heals and change.effect_digest not in reviewed.effects
    )

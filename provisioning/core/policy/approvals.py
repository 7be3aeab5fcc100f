"""What reviews allow: whether a plan holds anything that nobody has read."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from provisioning.core.model.values import Digest
from provisioning.core.plan.plan import Plan, PlannedChange
from provisioning.core.policy.review_records import ReviewRecord


class ReviewedEffects(msgspec.Struct, frozen=True, kw_only=True):
    """What was read of an infra: the effects that pull requests showed, and approved plans."""

    pulls: tuple[int, ...] = ()
    effects: frozenset[Digest] = frozenset()
    approved: frozenset[Digest] = frozenset()


def compute_reviewed(infra: str, reviews: Iterable[ReviewRecord]) -> ReviewedEffects:
    """Join what *reviews* say of *infra*."""
    pulls, effects, approved = [], set(), set()
    for review in reviews:
        shown = [plan for plan in review.plans if plan.infra == infra]
        pulls += [review.pull]
        effects |= {effect for item in shown for effect in item.effects}
        approved |= {approval.digest for approval in review.approvals if approval.infra == infra}
    return ReviewedEffects(
        pulls=tuple(pulls), effects=frozenset(effects), approved=frozenset(approved)
    )


def find_strays(plan: Plan, reviewed: ReviewedEffects) -> tuple[PlannedChange, ...]:
    """Return the changes of *plan* that nobody has read.

    A plan that was approved as a whole has none. What merely puts back what Git asked for
    already needs no review: the people who asked for it had theirs.
    """
    if plan.digest in reviewed.approved:
        return ()
    return tuple(
        change
        for change in plan.changes
        if not change.heals and change.effect_digest not in reviewed.effects
    )

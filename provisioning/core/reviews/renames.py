"""Which infras a pull request renames: a folder below `infra/` that is now another one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from provisioning.core.model.ids import ResourceId
from provisioning.core.reviews.findings import InfraReview


def find_renamed(
    reviews: Iterable[InfraReview], before: Collection[str], after: Collection[str]
) -> dict[str, str]:
    """Return the new name of each infra that seems to have one: some resource is in both.

    Args:
        reviews: What was found of the infras that are touched.
        before: The infras of the branch.
        after: The infras of the branch with the pull request merged into it.
    """
    names = {review.infra: set(_list_resources(review)) for review in reviews}
    gone = sorted(names.keys() & set(before) - set(after))
    new = sorted(names.keys() & set(after) - set(before))
    shared = {
        old: max(new, key=lambda each: len(names[old] & names[each]), default="") for old in gone
    }
    return {old: name for old, name in shared.items() if name and names[old] & names[name]}


def _list_resources(review: InfraReview) -> Iterator[ResourceId]:
    if review.plan is not None:
        yield from (change.id for change in review.plan.changes)
        yield from (item.id for item in review.plan.blocked)
    yield from (change.id for change in review.manifest_changes or ())

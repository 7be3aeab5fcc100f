"""The infras that a change of files touches, and those that it renames."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import msgspec

from provisioning.core.model.ids import ResourceId
from provisioning.core.reviews.codeowners import PATHS
from provisioning.core.reviews.findings import InfraReview

_FOREIGN = frozenset({"docs", ".gitea", ".github", ".git", ".gitignore", ".gitattributes"})
_PROSE = (".md", ".rst", ".adoc", "LICENSE", "NOTICE")


class TouchedInfras(msgspec.Struct, frozen=True):
    """Infras with a changed file of their own, and those that a shared one may have touched."""

    directly: frozenset[str]
    perhaps: frozenset[str]


def find_touched(paths: Iterable[str], infras: Collection[str]) -> TouchedInfras:
    """Return the infras that changes of the files at *paths* touch.

    Any infra may name settings, secrets and files outside of `infra/`; none names prose.
    """
    directly, is_shared = set(), False
    for path in paths:
        top, _, rest = path.partition("/")
        name = rest.partition("/")[0]
        if top == "infra" and name in infras:
            directly.add(name)
        elif not _is_foreign(path):
            is_shared = True
    perhaps = set(infras) - directly if is_shared else set()
    return TouchedInfras(frozenset(directly), frozenset(perhaps))


def _is_foreign(path: str) -> bool:
    return path.partition("/")[0] in _FOREIGN or path in PATHS or path.endswith(_PROSE)


def find_renamed(
    reviews: Iterable[InfraReview], before: Collection[str], after: Collection[str]
) -> dict[str, str]:
    """Return the new name of each infra that seems renamed: it shares a resource with a new one.

    Args:
        reviews: The findings of the touched infras.
        before: The infras of the branch.
        after: The infras of the branch with the pull request merged into it.
    """
    names = {review.infra: set(_list_resources(review)) for review in reviews}
    gone = sorted(names.keys() & set(before) - set(after))
    new = sorted(names.keys() & set(after) - set(before))
    nearest = {
        old: max(new, key=lambda name: len(names[old] & names[name]), default="") for old in gone
    }
    return {old: name for old, name in nearest.items() if name and names[old] & names[name]}


def _list_resources(review: InfraReview) -> Iterator[ResourceId]:
    if review.plan is not None:
        yield from (change.id for change in review.plan.changes)
        yield from (item.id for item in review.plan.blocked)
    yield from (change.id for change in review.manifest_changes or ())

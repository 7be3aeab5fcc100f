"""Who may give a command in a pull request. Pure: the settings say which of these counts."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

from provisioning.core.reviews.commands import Verb
from provisioning.core.reviews.markdown import render_code


class Permissions(StrEnum):
    """Those who may, of the people who may write to the repository."""

    WRITERS = "writers"
    """All of them."""

    OWNERS = "owners"
    """Whom `CODEOWNERS` names for what would change; all, where it names nobody."""

    OTHERS = "others"
    """Those, but for the author of the pull request."""

    NOBODY = "nobody"


CALLED = {
    Permissions.WRITERS: "who may write",
    Permissions.OWNERS: "an owner who may write",
    Permissions.OTHERS: "an owner who may write, but for the author",
    Permissions.NOBODY: "nobody",
}
"""What each is called, for people."""


def exclude_author(permissions: Permissions) -> Permissions:
    """Return those of *permissions* who are not the author."""
    return max(permissions, Permissions.OTHERS, key=list(Permissions).index)


def find_refusal(
    verb: Verb, permissions: Permissions, *, by: str, author: str, owners: Collection[str]
) -> str:
    """Say why *by*, who may write, may not say *verb*; "" if it may be said.

    Args:
        verb: What was said.
        permissions: Who may say it.
        by: Who said it.
        author: Who opened the pull request.
        owners: Whom `CODEOWNERS` names: people, and teams as `organisation/team`.
    """
    if permissions is Permissions.NOBODY:
        return f"nobody may say that here, by the setting `commands.{verb}`"
    if permissions is Permissions.WRITERS:
        return ""
    if permissions is Permissions.OTHERS and by == author:
        return "somebody else than the author must say that"
    people = {owner for owner in owners if "/" not in owner}
    if owners and not people:
        return "CODEOWNERS names only teams for this, and who is in them is not known here"
    if people and by not in people:
        names = ", ".join(render_code(item) for item in sorted(people))
        return f"CODEOWNERS names {names} for this"
    return ""

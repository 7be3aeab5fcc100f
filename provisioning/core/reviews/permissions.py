"""Who may give a command in a pull request; the settings choose among these."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

from provisioning.core.reviews.codeowners import CodeOwners
from provisioning.core.reviews.commands import Verb


class Permissions(StrEnum):
    """Those who may give a command, among the people who may write to the repository."""

    WRITERS = "writers"
    """All of them."""

    OWNERS = "owners"
    """Those whom `CODEOWNERS` names for every changed path that it names somebody for."""

    OTHERS = "others"
    """The owners, except the author of the pull request."""

    NOBODY = "nobody"


DESCRIPTIONS = {
    Permissions.WRITERS: "everybody who may write",
    Permissions.OWNERS: "an owner who may write",
    Permissions.OTHERS: "an owner who may write, except the author",
    Permissions.NOBODY: "nobody",
}
"""The text of each verb in help and pages."""


def exclude_author(permissions: Permissions) -> Permissions:
    """Return *permissions* without the author."""
    return max(permissions, Permissions.OTHERS, key=list(Permissions).index)


def find_refusal(
    verb: Verb,
    permissions: Permissions,
    *,
    by: str,
    author: str,
    owners: CodeOwners,
    paths: Collection[str],
) -> str:
    """Return why *by*, who may write, may not give the command *verb*; "" if it is allowed.

    Args:
        verb: The command.
        permissions: Who may give it.
        by: Who gave it.
        author: Who opened the pull request.
        owners: The owners of paths.
        paths: The paths that the command is about.
    """
    if permissions is Permissions.NOBODY:
        return f"the setting `commands.{verb}` allows nobody to give this command"
    if permissions is Permissions.WRITERS:
        return ""
    if permissions is Permissions.OTHERS and by == author:
        return "the author may not give this command"
    return owners.find_refusal(by, paths)

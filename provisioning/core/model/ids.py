"""Names and marks: how resources, runs and owners are written."""

from __future__ import annotations

import re
from typing import NewType

import msgspec

from provisioning.core.model.errors import InvalidArgument

ResourceId = NewType("ResourceId", str)
"""`Kind/name`, unique within an infra."""

CommitId = NewType("CommitId", str)
BlobId = NewType("BlobId", str)
RunId = NewType("RunId", str)
"""`<number>-<six hexadecimal digits>`; the number is the run's fencing token."""

NAME = re.compile(r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?\Z")
"""What a resource or an infra may be called. No dot: in a reference one begins the field."""

KIND = re.compile(r"[A-Z][A-Za-z0-9]{0,62}\Z")

_NUMBER = re.compile(r"[0-9]{1,18}\Z")


def get_number(run: RunId) -> int:
    """Return the number of *run*, which is its fencing token: later runs have higher ones."""
    return int(run.partition("-")[0])


def build_resource_id(kind: str, name: str) -> ResourceId:
    """Join *kind* and *name*."""
    return ResourceId(f"{kind}/{name}")


def parse_resource_id(text: str) -> ResourceId:
    """Check that *text* reads `Kind/name`.

    Raises:
        InvalidArgument: If it does not.
    """
    kind, slash, name = text.partition("/")
    if not (slash and KIND.match(kind) and NAME.match(name)):
        raise InvalidArgument(
            f"{text!r} is not the id of a resource", hint="write Kind/name, as in File/motd"
        )
    return ResourceId(text)


class Mark(msgspec.Struct, frozen=True):
    """The ownership mark on a live resource: who made it, and in which operation.

    Written `<workspace id>/<infra>/<Kind>/<name>#<run>.<operation>`. Ownership is decided by
    the part before `#`; the rest tells the creating operation, so that a repeated call
    recognises its own work.
    """

    owner: str
    run: RunId
    operation: int

    def __str__(self) -> str:
        return f"{self.owner}#{self.run}.{self.operation}"

    @property
    def resource(self) -> ResourceId:
        """The id of the marked resource."""
        return ResourceId("/".join(self.owner.split("/")[2:]))


def build_owner(workspace: str, infra: str, resource: ResourceId) -> str:
    """Write the owner's part of a mark."""
    return f"{workspace}/{infra}/{resource}"


def parse_mark(text: str) -> Mark | None:
    """Read a mark; None if *text* is not one, for the world may hold anything."""
    owner, _, made_by = text.rpartition("#")
    run, _, operation = made_by.rpartition(".")
    numbers = run.partition("-")[0], operation
    if owner.count("/") != 3 or not all(_NUMBER.match(number) for number in numbers):  # noqa: PLR2004
        return None
    return Mark(owner, RunId(run), int(operation))

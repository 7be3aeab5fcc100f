"""Whose is it? Decided by the mark alone."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from provisioning.core.model.ids import ResourceId, build_owner
from provisioning.core.model.providers import Present
from provisioning.core.model.resources import Resource


class OwnershipConflict(msgspec.Struct, frozen=True):
    """Why what stands in a place blocks a resource, and the ways out."""

    reason: str
    hint: str


class Ownership(msgspec.Struct, frozen=True):
    """The owner that marks of one infra of one workspace name."""

    workspace: str
    infra: str

    def is_ours(self, name: ResourceId, live: Present) -> bool:
        """Tell whether *live* bears the mark of our resource *name*."""
        owner = build_owner(self.workspace, self.infra, name)
        return live.mark is not None and live.mark.owner == owner

    def find_own(self, live: Present) -> ResourceId | None:
        """Return which resource of this infra *live* bears the mark of; None if of none."""
        is_own = live.mark is not None and self.is_ours(live.mark.resource, live)
        return live.mark.resource if live.mark is not None and is_own else None

    def find_infra(self, live: Present) -> str | None:
        """Return which infra of this workspace *live* bears the mark of; None if of none."""
        if live.mark is None or not live.mark.owner.startswith(f"{self.workspace}/"):
            return None
        return live.mark.owner.split("/")[1]

    def was_ours(
        self, resource: Resource, live: Present, others: Collection[ResourceId] = ()
    ) -> bool:
        """Tell whether *live* bears the mark of what *resource* is moved from, or of *others*."""
        before = Ownership(self.workspace, resource.moved_infra or self.infra)
        is_moved = resource.moved_from is not None and before.is_ours(resource.moved_from, live)
        return is_moved or any(self.is_ours(other, live) for other in others)


def describe_standing(
    ownership: Ownership, live: Present, *, is_renamed: bool
) -> OwnershipConflict:
    """Say what *live* is, which stands where a resource of *ownership*'s infra is to be.

    *is_renamed* tells that it may be that resource, under its old name.
    """
    if live.mark is None:
        return OwnershipConflict(
            "what stands in its place was not made by us",
            "move it out of the way, give the resource another place, or take it over: "
            "`provisioning import`",
        )
    name, infra = live.mark.resource, ownership.find_infra(live)
    if is_renamed:
        return OwnershipConflict(
            f"what stands in its place is {name}, which is no longer desired",
            f"if {name} has a new name, say so: `moved: {{from: {name}}}`; "
            f"if not, let {name} go first, in a commit of its own",
        )
    if infra == ownership.infra:
        return OwnershipConflict(
            f"what stands in its place is {name}", "give one of them another place"
        )
    if infra is not None:
        return OwnershipConflict(
            f"what stands in its place is {name} of the infra {infra}",
            f"leave it to {infra}, or let it go there first, in a commit of its own: an infra that "
            "is renamed is another one, and takes nothing with it",
        )
    return OwnershipConflict(
        f"what stands in its place bears the mark of {live.mark.owner}",
        "move it out of the way, or give the resource another place",
    )

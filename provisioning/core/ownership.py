"""Whose is it? Decided by the mark alone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from provisioning.core.ids import ResourceId, build_owner
from provisioning.core.providers import Present
from provisioning.core.resources import Resource


@dataclass(frozen=True, slots=True)
class Ownership:
    """The owner that marks of one infra of one workspace name."""

    workspace: str
    infra: str

    def is_ours(self, name: ResourceId, live: Present) -> bool:
        """Tell whether *live* bears the mark of our resource *name*."""
        owner = build_owner(self.workspace, self.infra, name)
        return live.mark is not None and live.mark.owner == owner

    def was_ours(
        self, resource: Resource, live: Present, others: Collection[ResourceId] = ()
    ) -> bool:
        """Tell whether *live* bears the mark of what *resource* is moved from, or of *others*."""
        before = Ownership(self.workspace, resource.moved_infra or self.infra)
        is_moved = resource.moved_from is not None and before.is_ours(resource.moved_from, live)
        return is_moved or any(self.is_ours(each, live) for each in others)

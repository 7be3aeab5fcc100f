"""Whose is it? Decided by the mark alone."""

from __future__ import annotations

from dataclasses import dataclass

from provisioning.core.ids import ResourceId, build_owner
from provisioning.core.providers import Present


@dataclass(frozen=True, slots=True)
class Ownership:
    """The owner that marks of one infra of one workspace name."""

    workspace: str
    infra: str

    def is_ours(self, name: ResourceId, live: Present) -> bool:
        """Tell whether *live* bears the mark of our resource *name*."""
        owner = build_owner(self.workspace, self.infra, name)
        return live.mark is not None and live.mark.owner == owner

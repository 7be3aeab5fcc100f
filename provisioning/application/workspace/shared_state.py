"""State that outlives one opening of a workspace."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from provisioning.core.model.providers import Provider
from provisioning.core.model.redaction import Redactor

if TYPE_CHECKING:
    from provisioning.forges.registry import ForgeRepository
    from provisioning.gitstore.repository.remote import Exchange


class SharedState(msgspec.Struct, frozen=True):
    """State that outlives one opening: providers know their children, pools stay open."""

    redactor: Redactor = msgspec.field(default_factory=Redactor)
    providers: dict[tuple[str, str], Provider] = msgspec.field(default_factory=dict)
    forges: dict[tuple[str, ...], ForgeRepository] = msgspec.field(default_factory=dict)
    listener: Callable[[Exchange], None] | None = None

    def close(self) -> None:
        """Close every provider, and every connection to a forge."""
        for provider in self.providers.values():
            provider.close()
        for forge in self.forges.values():
            forge.close()

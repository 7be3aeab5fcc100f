"""Moves of a resource from one infra to another: what each of the two must know of the other.

The infra that asks for it takes it first: it marks it as its own and records it. Only then the one
that it comes from lets go of the record. Cut off in between, both records are there, and the next
run of the latter goes on. Nothing is created or deleted on the way. Values only.
"""

from __future__ import annotations

import msgspec

from provisioning.core.model.errors import Source
from provisioning.core.model.ids import ResourceId
from provisioning.core.model.records import Record


class MoveOrigin(msgspec.Struct, frozen=True, kw_only=True):
    """What the infra that a resource comes from recorded of it.

    `trouble` says why it cannot be taken yet, and `hint` what to do.
    """

    infra: str
    record: Record
    trouble: str = ""
    hint: str = ""


class CrossInfraMove(msgspec.Struct, frozen=True, kw_only=True):
    """Where a resource of this infra goes: which infra asks for it, as what, and where that stands.

    `is_taken` tells that it is recorded there. `name` is None where it could not be found out
    whether the infra asks for it.
    """

    infra: str
    name: ResourceId | None
    is_taken: bool
    source: Source | None = None

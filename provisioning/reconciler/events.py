"""The events of a run, as they happen."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TypeAlias

import msgspec

from provisioning.core.model.ids import ResourceId, RunId


class EventKind(StrEnum):
    """What happened."""

    RUN_BEGUN = "run-begun"
    TAKEN_OVER = "taken-over"
    REPLANNED = "replanned"
    OPERATION_BEGUN = "operation-begun"
    OPERATION_WAITING = "operation-waiting"
    OPERATION_RETRIED = "operation-retried"
    OPERATION_ENDED = "operation-ended"
    RUN_RECORDED = "run-recorded"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event: which run, which resource if it is about one, and a sentence's worth of text.

    An event of an operation has its `provider`, and at the end its `outcome`.
    """

    kind: EventKind
    infra: str
    run: RunId | None = None
    id: ResourceId | None = None
    text: str = ""
    seconds: float = 0.0
    done: int = 0
    total: int = 0
    provider: str = ""
    outcome: str = ""
    is_throttled: bool = False


Listener: TypeAlias = Callable[[Event], None]
"""Is called from one thread at a time, and must not block for long."""

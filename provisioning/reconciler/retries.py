"""Repeats what somebody else's write to the same branch spoiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from provisioning.core.model.errors import HeadMoved

Answer = TypeVar("Answer")


def retry_moved(call: Callable[[], Answer], attempts: int) -> Answer:
    """Return the answer of *call*, which reads a branch and writes on top of it.

    Raises:
        HeadMoved: If somebody else wrote during each attempt.
    """
    for _ in range(attempts - 1):
        try:
            return call()
        except HeadMoved:
            continue
    return call()

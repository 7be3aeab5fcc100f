"""Hands every event to those who listen just now; who is too slow loses the oldest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

LIMIT = 1000
"""Events that wait for one slow listener."""

Shape = dict[str, Any]


class Bus:
    """Events, from any thread to the listeners of one event loop."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listeners: dict[asyncio.Queue[Shape], Callable[[Shape], bool]] = {}

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Name the loop that the listeners run in."""
        self._loop = loop

    def send(self, shape: Shape) -> None:
        """Hand *shape* to everybody; never waits."""
        if self._listeners and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._spread, shape)

    def _spread(self, shape: Shape) -> None:
        for queue, is_wanted in self._listeners.items():
            if not is_wanted(shape):
                continue
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(shape)

    async def listen(
        self, is_wanted: Callable[[Shape], bool], begin: Callable[[], None] = lambda: None
    ) -> AsyncIterator[Shape]:
        """Yield the wanted events from now on; *begin* is called once nothing is missed."""
        queue: asyncio.Queue[Shape] = asyncio.Queue(LIMIT)
        self._listeners[queue] = is_wanted
        try:
            begin()
            while True:
                yield await queue.get()
        finally:
            del self._listeners[queue]

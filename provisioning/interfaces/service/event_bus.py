"""Sends every event to the current subscribers; a slow one loses the oldest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

LIMIT = 1000
"""Events that wait for one slow subscriber."""

Shape = dict[str, Any]


class EventBus:
    """Events, from any thread to the subscribers of one event loop."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queues: dict[asyncio.Queue[Shape], Callable[[Shape], bool]] = {}

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Set the loop that the subscribers run in."""
        self._loop = loop

    def send(self, shape: Shape) -> None:
        """Send *shape* to every subscriber; never waits."""
        if self._queues and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._spread, shape)

    def _spread(self, shape: Shape) -> None:
        for queue, is_wanted in self._queues.items():
            if not is_wanted(shape):
                continue
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(shape)

    async def subscribe(
        self, is_wanted: Callable[[Shape], bool], begin: Callable[[], None] = lambda: None
    ) -> AsyncIterator[Shape]:
        """Yield the wanted events from now on; call *begin* once subscribed."""
        queue: asyncio.Queue[Shape] = asyncio.Queue(LIMIT)
        self._queues[queue] = is_wanted
        try:
            begin()
            while True:
                yield await queue.get()
        finally:
            del self._queues[queue]

"""Worker threads that may block for ever without keeping the process from ending."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

Key = TypeVar("Key")
Answer = TypeVar("Answer")


class Finished(msgspec.Struct, Generic[Key, Answer], frozen=True):
    """A task that ended: its key, and either its answer or what it raised."""

    key: Key
    answer: Answer | None
    error: BaseException | None


class Workers(Generic[Key, Answer]):
    """Runs tasks in daemon threads, started when first needed.

    A thread that hangs is given up with `abandon`, and another takes its place.
    """

    def __init__(self, count: int) -> None:
        self._limit = count
        self._idle = 0
        self._started = 0
        self._mutex = threading.Lock()
        self._tasks: queue.SimpleQueue[tuple[Key, Callable[[], Answer]] | None] = (
            queue.SimpleQueue()
        )
        self._finished: queue.SimpleQueue[Finished[Key, Answer]] = queue.SimpleQueue()

    def submit(self, key: Key, task: Callable[[], Answer]) -> None:
        """Run *task* in a thread; `wait` returns its end under *key*."""
        self._tasks.put((key, task))
        with self._mutex:
            if self._idle < self._tasks.qsize() and self._started < self._limit:
                self._started += 1
                threading.Thread(target=self._work, name="worker", daemon=True).start()

    def wait(self, timeout: float) -> Finished[Key, Answer] | None:
        """Return the next task that ends; None if none does within *timeout* seconds."""
        try:
            return self._finished.get(timeout=max(timeout, 0.0))
        except queue.Empty:
            return None

    def abandon(self) -> None:
        """Give up a thread that hangs."""
        with self._mutex:
            self._limit += 1

    def close(self) -> None:
        """Let idle threads end; those that hang are left to the end of the process."""
        for _ in range(self._limit):
            self._tasks.put(None)

    def _work(self) -> None:
        while True:
            with self._mutex:
                self._idle += 1
            job = self._tasks.get()
            with self._mutex:
                self._idle -= 1
            if job is None:
                return
            key, task = job
            try:
                self._finished.put(Finished(key, task(), None))
            except BaseException as exc:  # noqa: BLE001  handed to the thread that waits
                self._finished.put(Finished(key, None, exc))

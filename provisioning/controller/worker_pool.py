"""The workers of a service: each takes what is most urgent, and one that hangs is replaced."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from provisioning.controller.events import Defect, EventSink, WorkerHung
from provisioning.core.scheduling.backoff import compute_backoff
from provisioning.core.scheduling.workqueue import Ending, Key, Urgency, Work, WorkQueue

LOOK = 1.0
"""Seconds between two looks at the workers."""


@dataclass(slots=True)
class _Job:
    work: Work
    sign: float
    is_replaced: bool = False


class WorkerPool:
    """Works on a queue with *size* threads.

    A worker hangs for as long as it gives no sign of life. When it is found to, another one
    takes its place for good; it may go on all the same, and then is waited for again.

    Args:
        size: How many keys are worked on at once.
        patience: Seconds without a sign of life after which a worker counts as hung.
        tell: Is told of hung workers and of defects.
        now: The clock of the queue, in seconds; it never goes back.
    """

    def __init__(
        self,
        *,
        size: int,
        patience: float,
        tell: EventSink,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.size = size
        self.now = now
        self._patience = patience
        self._tell = tell
        self._queue = WorkQueue()
        self._change = threading.Condition()
        self._jobs: dict[Key, _Job] = {}
        self._threads: set[threading.Thread] = set()
        self._is_closing = False
        self._do: Callable[[Work], Ending] | None = None
        self.beat = now()

    def start(self, do: Callable[[Work], Ending]) -> None:
        """Begin to work; *do* does one piece, from any of the threads."""
        self._do = do
        with self._change:
            self._staff()
        threading.Thread(target=self._supervise, name="supervisor", daemon=True).start()

    def add(self, key: Key, urgency: Urgency, reason: str, due: float | None = None) -> None:
        """Ask for *key*; see `WorkQueue.add`."""
        with self._change:
            self._queue.add(key, urgency, reason, self.now(), due)
            self._change.notify()

    def add_all(self, keys: Iterable[Key], urgency: Urgency, reason: str) -> None:
        """Ask for *keys* at once, so that nobody takes one before what it needs is asked for."""
        with self.open_queue() as queue:
            for key in keys:
                queue.add(key, urgency, reason, self.now(), None)

    @contextmanager
    def open_queue(self) -> Iterator[WorkQueue]:
        """Give the queue to the caller alone, who may change it."""
        with self._change:
            yield self._queue
            self._change.notify_all()

    def sign(self, key: Key) -> None:
        """Note a sign of life of whoever works on *key*."""
        job = self._jobs.get(key)
        if job is not None:
            job.sign = self.now()

    def list_hung(self) -> list[Work]:
        """Return what workers hang on."""
        with self._change:
            return [job.work for job in self._jobs.values() if self._is_hung(job)]

    def close(self) -> None:
        """Take nothing any more; what is in hand is finished."""
        with self._change:
            self._is_closing = True
            self._change.notify_all()

    def join(self, seconds: float) -> bool:
        """Wait until nothing is in hand, apart from what hangs; tell whether that is so."""
        with self._change:
            return self._change.wait_for(self._is_done, seconds)

    def join_all(self, seconds: float) -> bool:
        """Wait until nothing is in hand, not even what hangs; tell whether that is so."""
        with self._change:
            return self._change.wait_for(lambda: not self._jobs, seconds)

    def _is_done(self) -> bool:
        return all(map(self._is_hung, self._jobs.values()))

    def _is_hung(self, job: _Job) -> bool:
        return self.now() - job.sign > self._patience

    # Threads

    def _staff(self) -> None:
        """Make sure that *size* threads work, besides those that were replaced."""
        self._threads = {item for item in self._threads if item.is_alive()}
        replaced = sum(job.is_replaced for job in self._jobs.values())
        for _ in range(self.size + replaced - len(self._threads)):
            thread = threading.Thread(target=self._work, name="worker", daemon=True)
            self._threads.add(thread)
            thread.start()

    def _work(self) -> None:
        while (work := self._take()) is not None:
            ending = self._try(work)
            with self._change:
                job = self._jobs.pop(work.key)
                self._queue.end(work.key, ending, self.now())
                self._change.notify_all()
                if job.is_replaced:
                    return

    def _take(self) -> Work | None:
        with self._change:
            while not self._is_closing:
                now = self.now()
                work = self._queue.take(now)
                if work is not None:
                    self._jobs[work.key] = _Job(work, now)
                    return work
                wake = self._queue.get_wake()
                self._change.wait(None if wake is None else max(wake - now, 0.0))
            return None

    def _try(self, work: Work) -> Ending:
        assert self._do is not None  # noqa: S101  threads start after it is set
        try:
            return self._do(work)
        except BaseException:  # noqa: BLE001  a defect must not cost the others their worker
            self._tell(Defect(key=work.key, trace=traceback.format_exc()))
            return Ending(is_good=False, retry=compute_backoff(work.failures + 1, 0.5))

    def _supervise(self) -> None:
        is_over = False
        while not is_over:
            time.sleep(LOOK)
            self.beat = self.now()
            with self._change:
                late = [
                    job for job in self._jobs.values() if not job.is_replaced and self._is_hung(job)
                ]
                for job in late:
                    job.is_replaced = True
                if not self._is_closing:
                    self._staff()
                self._change.notify_all()
                is_over = self._is_closing and not self._jobs
            for job in late:
                self._tell(WorkerHung(work=job.work, seconds=self.beat - job.sign))

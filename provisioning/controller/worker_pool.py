"""The workers of a service: each takes the most urgent work; one that hangs is replaced."""

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

SUPERVISE_INTERVAL = 1.0
"""Seconds between two checks of the workers."""


@dataclass(slots=True)
class _Job:
    work: Work
    beat_at: float
    is_replaced: bool = False


class WorkerPool:
    """Works on a queue with *size* threads.

    A worker hangs while it sends no heartbeat. Another one takes its place for good; the hung
    one may go on all the same, and then is waited for again.

    Args:
        size: How many keys are worked on at once.
        timeout: Seconds without a heartbeat after which a worker counts as hung.
        notify: Takes the events of hung workers and of defects.
        now: The clock of the queue, in seconds; it never goes back.
    """

    def __init__(
        self,
        *,
        size: int,
        timeout: float,
        notify: EventSink,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.size = size
        self.now = now
        self._timeout = timeout
        self._notify = notify
        self._queue = WorkQueue()
        self._change = threading.Condition()
        self._jobs: dict[Key, _Job] = {}
        self._threads: set[threading.Thread] = set()
        self._is_closing = False
        self._handle: Callable[[Work], Ending] | None = None
        self.beat_at = now()

    def start(self, handle: Callable[[Work], Ending]) -> None:
        """Start to work; *handle* does one piece, from any of the threads."""
        self._handle = handle
        with self._change:
            self._start_threads()
        threading.Thread(target=self._supervise, name="supervisor", daemon=True).start()

    def add(self, key: Key, urgency: Urgency, reason: str, due: float | None = None) -> None:
        """Queue *key*; see `WorkQueue.add`."""
        with self._change:
            self._queue.add(key, urgency, reason, self.now(), due)
            self._change.notify()

    def add_all(self, keys: Iterable[Key], urgency: Urgency, reason: str) -> None:
        """Queue *keys* at once, so that each waits for those among them that it needs."""
        with self.open_queue() as queue:
            for key in keys:
                queue.add(key, urgency, reason, self.now(), None)

    @contextmanager
    def open_queue(self) -> Iterator[WorkQueue]:
        """Lend the queue to the caller alone, who may change it."""
        with self._change:
            yield self._queue
            self._change.notify_all()

    def beat(self, key: Key) -> None:
        """Note a heartbeat of the worker of *key*."""
        job = self._jobs.get(key)
        if job is not None:
            job.beat_at = self.now()

    def list_hung(self) -> list[Work]:
        """Return the work of the workers that hang."""
        with self._change:
            return [job.work for job in self._jobs.values() if self._is_hung(job)]

    def close(self) -> None:
        """Take no more work; the work in progress is finished."""
        with self._change:
            self._is_closing = True
            self._change.notify_all()

    def join(self, seconds: float) -> bool:
        """Wait until all work ends but what hangs; tell whether it did within *seconds*."""
        with self._change:
            return self._change.wait_for(
                lambda: all(map(self._is_hung, self._jobs.values())), seconds
            )

    def join_all(self, seconds: float) -> bool:
        """Wait until all work ends, what hangs too; tell whether it did within *seconds*."""
        with self._change:
            return self._change.wait_for(lambda: not self._jobs, seconds)

    def _is_hung(self, job: _Job) -> bool:
        return self.now() - job.beat_at > self._timeout

    # Threads

    def _start_threads(self) -> None:
        """Make sure that *size* threads work, besides those that were replaced."""
        self._threads = {thread for thread in self._threads if thread.is_alive()}
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
        assert self._handle is not None  # noqa: S101  threads start after it is set
        try:
            return self._handle(work)
        except BaseException:  # noqa: BLE001  a defect must not end the worker
            self._notify(Defect(key=work.key, trace=traceback.format_exc()))
            return Ending(is_good=False, retry=compute_backoff(work.failures + 1, 0.5))

    def _supervise(self) -> None:
        is_over = False
        while not is_over:
            time.sleep(SUPERVISE_INTERVAL)
            self.beat_at = self.now()
            with self._change:
                late = [
                    job for job in self._jobs.values() if not job.is_replaced and self._is_hung(job)
                ]
                for job in late:
                    job.is_replaced = True
                if not self._is_closing:
                    self._start_threads()
                self._change.notify_all()
                is_over = self._is_closing and not self._jobs
            for job in late:
                self._notify(WorkerHung(key=job.work.key, seconds=self.beat_at - job.beat_at))

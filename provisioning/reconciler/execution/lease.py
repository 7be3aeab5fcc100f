"""Holds an infra's lock for a run: acquires it, renews it, and records on top of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import msgspec

from provisioning.core.model.errors import Fenced, HeadMoved, LockHeld, ProvisioningError
from provisioning.core.model.ids import ResourceId
from provisioning.core.model.records import Begin, Intent, Lock, Record, Run
from provisioning.core.statelog.entries import compute_begin, compute_record, compute_renewal
from provisioning.core.statelog.lock_expiry import LockStatus
from provisioning.core.statelog.transitions import LogView, is_own
from provisioning.gitstore.statelog.git_statelog import StateLog

ATTEMPTS = 8
"""How often a record is tried while the lock is ours and the log's head moves or is busy."""

SAFETY = 2.0
"""Seconds by which a lease is taken to end earlier than it does."""


def render_time(seconds: float) -> str:
    """Write seconds since the epoch as RFC 3339 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def count_seconds() -> float:
    """Return the seconds since the machine was started, those in which it slept too."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def check_unlocked(infra: str, lock: Lock | None, lock_status: LockStatus | None) -> None:
    """Make sure that nobody holds *lock*, if there is one.

    Raises:
        LockHeld: If somebody does.
    """
    if lock and lock_status and lock_status.is_held:
        raise build_lock_error(infra, lock, lock_status)


def build_lock_error(infra: str, lock: Lock, lock_status: LockStatus) -> LockHeld:
    """Build the error that says who holds *infra*, since when, why, and how to go on."""
    what = f"run {lock.run.partition('-')[0]}" if lock.run else "a hold"
    left = lock_status.remaining
    end = "it does not expire" if left is None else f"it expires in {left:.0f} s unless renewed"
    error = LockHeld(
        f"{infra} is locked by {lock.holder} since {lock.acquired_at}, "
        f"for {what} ({lock.reason}); {end}",
        hint=f"wait, or see `provisioning lock explain {infra}`",
    )
    error.remaining = left
    return error


class Clocks(msgspec.Struct, frozen=True):
    """The wall clock, which is for people, and the monotonic one, by which things are decided.

    While a machine sleeps, others go on counting; so its leases must end meanwhile.
    """

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = count_seconds


class Lease:
    """The right to change an infra, as long as it lasts.

    A thread renews it when half of its ttl has passed, so that a
    run which is done before writes nothing but begin and record.
    """

    def __init__(
        self, log: StateLog, view: LogView, lock: Lock | None, begin: Begin, clocks: Clocks
    ) -> None:
        self._log = log
        self._lock = lock
        self._clocks = clocks
        self._mutex = threading.Lock()
        self._closed = threading.Event()
        self._lost: ProvisioningError | None = None
        self.begin = begin
        own = [intent for intent in begin.intents if intent.run == begin.run]
        self._intents = {item.operation: item for item in own}
        self._inherited = tuple(intent for intent in begin.intents if intent.run != begin.run)
        started = clocks.monotonic()
        self._view = log.append(view, compute_begin(view, lock, begin))
        self._until = started + lock.ttl if lock else None
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Make sure that the lease has not been lost.

        Raises:
            Fenced: If it has.
        """
        if self._lost:
            raise self._describe_loss() from self._lost

    def get_remaining(self) -> float | None:
        """Return the seconds for which nobody else can take the lock; None if for ever."""
        if self._until is None:
            return None
        return self._until - self._clocks.monotonic() - SAFETY

    def intend(self, intent: Intent) -> None:
        """Make sure that the state log knows *intent* with all that finds its resource again.

        Raises:
            Fenced: If the lock was lost.
        """
        known = self._intents.get(intent.operation)
        if known is not None and known.attributes == intent.attributes:
            return
        with self._mutex:
            self._intents[intent.operation] = intent
            intents = (*self._inherited, *self._intents.values())
            self._renew(msgspec.structs.replace(self.begin, intents=intents))

    def record(self, run: Run, records: Mapping[ResourceId, Record | None]) -> LogView:
        """Record what became of the run, and let go of the lock.

        Raises:
            Fenced: If the lock was lost; nothing was written.
        """
        self.close()
        with self._mutex:
            for _ in range(ATTEMPTS):
                try:
                    entry = compute_record(self._view, run, {})
                    return self._log.append(self._view, entry, records)
                except HeadMoved as exc:
                    view = self._log.read()
                    if view.run is not None and view.run.run == run.run:
                        return view
                    self._go_on_from(view, exc)
        raise self._describe_loss()

    def _go_on_from(self, view: LogView, cause: HeadMoved) -> None:
        """Go on if the lock is still ours: our own answer was lost, or the ref was busy."""
        if not is_own(view, self.begin.run):
            self._lost = cause
            raise self._describe_loss(view) from cause
        self._view = view

    def _describe_loss(self, view: LogView | None = None) -> Fenced:
        holder = view.lock if view else None
        by = f" by {holder.holder}" if holder else ""
        return Fenced(
            f"run {self.begin.run} lost the lock of {self._log.infra}{by}",
            hint=f"`provisioning reconcile {self._log.infra}` looks at what is there and goes on",
        )

    def _keep(self) -> None:
        pause = self._lock.ttl / 2 if self._lock else None
        while self._lock and not self._closed.wait(pause):
            with self._mutex:
                if self._closed.is_set():
                    return
                try:
                    self._renew(self.begin)
                    pause = self._lock.ttl / 2
                except Fenced:
                    return
                except ProvisioningError:
                    pause = self._lock.ttl / 8

    def _renew(self, begin: Begin) -> None:
        lock = self._lock and msgspec.structs.replace(
            self._lock, renewed_at=render_time(self._clocks.wall())
        )
        started = self._clocks.monotonic()
        entry = compute_renewal(lock, begin, extended=begin is not self.begin)
        for _ in range(ATTEMPTS):
            try:
                self._view = self._log.append(self._view, entry)
                break
            except HeadMoved as exc:
                self._go_on_from(self._log.read(), exc)
                if (self._view.lock, self._view.begin) == (lock, begin):
                    break
        else:
            raise self._describe_loss()
        self._lock, self.begin = lock, begin
        self._until = started + lock.ttl if lock else None

    def close(self) -> None:
        """Stop renewing; the lock stays until it is recorded over, or expires."""
        self._closed.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

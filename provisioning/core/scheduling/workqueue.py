"""The work queue of a service: keys, each at most once, the most urgent first. Pure.

The queue holds identities and no contents: the worker of a key reads the present state. So the
queue can be dropped and filled again from Git at any time.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict, deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import NamedTuple

import msgspec


class Urgency(IntEnum):
    """The reasons for work, the most urgent first."""

    REVIEW = 0
    PUSH = 1
    DRIFT = 2
    RESYNC = 3


class Topic(StrEnum):
    """The kinds of keys."""

    INFRA = "infra"
    PULL = "pull request"
    CLOSED = "closed pull requests"


class Key(NamedTuple):
    """One thing that is worked on by one worker at a time: *name* is an infra's, or a number."""

    workspace: str
    topic: Topic
    name: str

    def __str__(self) -> str:
        match self.topic:
            case Topic.INFRA:
                return f"{self.workspace}/{self.name}"
            case Topic.PULL:
                return f"{self.workspace}/#{self.name}"
        return f"{self.workspace}/{self.topic}"


class QueueStatus(StrEnum):
    """Where a key of the queue stands."""

    READY = "ready"
    DELAYED = "delayed"
    WAITING = "waiting"
    PAUSED = "paused"
    RUNNING = "running"


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """One key, taken or queued: since when, in seconds of the caller's clock, and why.

    `failures` is how often in a row it came out badly; `due` is when it may be taken.
    """

    key: Key
    urgency: Urgency
    since: float
    reason: str
    standing: QueueStatus
    failures: int = 0
    due: float = 0.0
    waits_for: Key | None = None

    @property
    def ready_since(self) -> float:
        """Since when it may be taken: a retry counts from when it was due."""
        return max(self.since, self.due)


class Ending(msgspec.Struct, frozen=True):
    """The end of work: whether dependent keys may go on, and the seconds until a retry.

    What is merely waited for, as another's lock, is no failure.
    """

    is_good: bool
    retry: float | None = None
    is_failure: bool = True


@dataclass(slots=True)
class _Entry:
    urgency: Urgency
    since: float
    reason: str
    standing: QueueStatus = QueueStatus.READY
    due: float = 0.0
    waits_for: Key | None = None
    again: _Entry | None = None


@dataclass(slots=True)
class WorkQueue:
    """Every method takes `now`, in seconds of one clock that never goes back."""

    is_paused: bool = False
    _entries: dict[Key, _Entry] = field(default_factory=dict)
    _lanes: dict[Urgency, OrderedDict[str, deque[Key]]] = field(
        default_factory=lambda: {item: OrderedDict() for item in Urgency}
    )
    _delayed: list[tuple[float, Key]] = field(default_factory=list)
    _failures: dict[Key, int] = field(default_factory=dict)
    _bad: set[Key] = field(default_factory=set)
    _paused: set[Key] = field(default_factory=set)
    _needs: dict[Key, Collection[Key]] = field(default_factory=dict)
    _waiting: set[Key] = field(default_factory=set)

    # Filling

    def add(
        self, key: Key, urgency: Urgency, reason: str, now: float, due: float | None = None
    ) -> None:
        """Ask for *key*, not before *due*; what is queued already becomes as urgent as this.

        A key that is being worked on is taken once more after that. One that is delayed, as
        after a failure, is taken at once if this is a push or a review: what it failed on may
        have changed.
        """
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = _Entry(urgency, now, reason, due=due or 0.0)
            self._start(key, entry, now)
            return
        if entry.standing is QueueStatus.RUNNING:
            again = entry.again
            if again is None or urgency < again.urgency:
                since = again.since if again else now
                entry.again = _Entry(urgency, since, reason, due=due or 0.0)
            return
        if urgency < entry.urgency:
            entry.urgency, entry.reason = urgency, reason
            if entry.standing is QueueStatus.READY:
                self._line_up(key, urgency)
        if entry.standing is QueueStatus.DELAYED and urgency <= Urgency.PUSH:
            self._failures.pop(key, None)
            entry.due = now
            self._make_ready(key, entry)

    def set_needs(self, workspace: str, needs: Mapping[Key, Collection[Key]]) -> None:
        """Let each key of *workspace* wait while one of those it needs is queued or came out badly.

        Keys that are in no map need nothing.
        """
        self._needs = {key: need for key, need in self._needs.items() if key.workspace != workspace}
        self._needs.update(needs)
        self._wake_waiting()

    def forget(self, keys: Collection[Key]) -> None:
        """Drop *keys*, which are no more; what is being worked on ends as it does."""
        for key in keys:
            entry = self._entries.get(key)
            if entry is not None and entry.standing is not QueueStatus.RUNNING:
                del self._entries[key]
            self._failures.pop(key, None)
            self._bad.discard(key)
        self._wake_waiting()

    # Emptying

    def take(self, now: float) -> Work | None:
        """Take the most urgent key that is due; among workspaces in turn. None if there is none."""
        while self._delayed and self._delayed[0][0] <= now:
            due, key = heapq.heappop(self._delayed)
            entry = self._entries.get(key)
            if entry is not None and entry.standing is QueueStatus.DELAYED and entry.due == due:
                self._make_ready(key, entry)
        if self.is_paused:
            return None
        for urgency in Urgency:
            found = self._pull(urgency)
            if found is not None:
                entry = self._entries[found]
                entry.standing = QueueStatus.RUNNING
                return self._build_work(found, entry)
        return None

    def end(self, key: Key, ending: Ending, now: float) -> None:
        """Let go of *key*, which was taken."""
        entry = self._entries.pop(key)
        if ending.is_good:
            self._failures.pop(key, None)
            self._bad.discard(key)
        else:
            self._failures[key] = self._failures.get(key, 0) + ending.is_failure
            self._bad.add(key)
        again = entry.again
        if again is not None and again.urgency <= Urgency.PUSH:
            self._failures.pop(key, None)
        if again is not None and (ending.retry is None or again.urgency <= Urgency.PUSH):
            self._entries[key] = again
            self._start(key, again, now)
        elif ending.retry is not None:
            self._entries[key] = entry
            entry.again = None
            self._delay(key, entry, now + ending.retry)
        self._wake_waiting(key)

    def get_wake(self) -> float | None:
        """Return when the next delayed key is due; None if none is delayed."""
        return self._delayed[0][0] if self._delayed else None

    def get_failures(self, key: Key) -> int:
        """Return how often in a row *key* came out badly."""
        return self._failures.get(key, 0)

    # Pausing

    def pause(self, key: Key | None) -> None:
        """Take nothing any more; with *key*, only not that one."""
        if key is None:
            self.is_paused = True
        else:
            self._paused.add(key)
            self._wake_waiting(key)

    def resume(self, key: Key | None) -> None:
        """End a pause; without *key*, every one."""
        self.is_paused = self.is_paused and key is not None
        ended = set(self._paused) if key is None else {key}
        self._paused -= ended
        for item in ended:
            entry = self._entries.get(item)
            if entry is not None and entry.standing is QueueStatus.PAUSED:
                self._make_ready(item, entry)

    @property
    def paused(self) -> frozenset[Key]:
        """The keys that are paused by themselves."""
        return frozenset(self._paused)

    # Looking

    def list_work(self) -> list[Work]:
        """Return everything that is queued or being worked on, the most urgent first."""
        found = [self._build_work(key, entry) for key, entry in self._entries.items()]
        return sorted(found, key=lambda each: (each.urgency, each.since, each.key))

    def _build_work(self, key: Key, entry: _Entry) -> Work:
        return Work(
            key=key,
            urgency=entry.urgency,
            since=entry.since,
            reason=entry.reason,
            standing=entry.standing,
            failures=self._failures.get(key, 0),
            due=entry.due,
            waits_for=entry.waits_for,
        )

    def _start(self, key: Key, entry: _Entry, now: float) -> None:
        if entry.due > now:
            self._delay(key, entry, entry.due)
        else:
            self._make_ready(key, entry)

    def _delay(self, key: Key, entry: _Entry, due: float) -> None:
        entry.standing, entry.due = QueueStatus.DELAYED, due
        heapq.heappush(self._delayed, (due, key))

    # Lanes: for each urgency, and in it for each workspace, who comes next

    def _line_up(self, key: Key, urgency: Urgency) -> None:
        self._lanes[urgency].setdefault(key.workspace, deque()).append(key)

    def _make_ready(self, key: Key, entry: _Entry) -> None:
        entry.standing, entry.waits_for = QueueStatus.READY, None
        self._line_up(key, entry.urgency)

    def _pull(self, urgency: Urgency) -> Key | None:
        """Return the next key of *urgency*; a place that a key has left behind is passed over."""
        lanes = self._lanes[urgency]
        for workspace in list(lanes):
            lane = lanes[workspace]
            while lane:
                key = lane.popleft()
                if self._is_next(key, urgency):
                    lanes.move_to_end(workspace)
                    return key
            del lanes[workspace]
        return None

    def _is_next(self, key: Key, urgency: Urgency) -> bool:
        entry = self._entries.get(key)
        if entry is None or entry.standing is not QueueStatus.READY or entry.urgency != urgency:
            return False
        if key in self._paused:
            entry.standing = QueueStatus.PAUSED
            return False
        entry.waits_for = next(self._list_obstacles(key), None)
        if entry.waits_for is not None:
            entry.standing = QueueStatus.WAITING
            self._waiting.add(key)
            self._hurry(entry.waits_for, urgency)
            return False
        return True

    def _list_obstacles(self, key: Key) -> Iterator[Key]:
        """Yield what *key* waits for; what is paused is as it is, and holds nobody up."""
        needs = (need for need in self._needs.get(key, ()) if need not in self._paused)
        return (need for need in needs if need in self._entries or need in self._bad)

    def _hurry(self, key: Key, urgency: Urgency) -> None:
        """Let *key* be as urgent as what waits for it."""
        entry = self._entries.get(key)
        if entry is None or entry.urgency <= urgency:
            return
        entry.urgency = urgency
        if entry.standing is QueueStatus.READY:
            self._line_up(key, urgency)

    def _wake_waiting(self, ended: Key | None = None) -> None:
        """Let those try again that waited for *ended*, or for anything."""
        for key in list(self._waiting):
            entry = self._entries.get(key)
            if entry is None or entry.standing is not QueueStatus.WAITING:
                self._waiting.discard(key)
            elif ended in {None, entry.waits_for}:
                self._waiting.discard(key)
                self._make_ready(key, entry)

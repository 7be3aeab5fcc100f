"""A Git server that loses, delays and repeats, behind the state log's protocol."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from memory_statelogs import MemoryRecords, MemoryStateLog, SharedBranch
from scheduling import Machine, World

from provisioning.core.model.errors import HeadMoved, RemoteUnreachable
from provisioning.core.model.ids import ResourceId
from provisioning.core.model.records import Record
from provisioning.core.statelog.fsck import LogCommit
from provisioning.core.statelog.transitions import LogEntry, LogView

TIMEOUT = 5.0
"""Seconds after which a client no longer waits for an answer."""

Records = Mapping[ResourceId, Record | None] | None


class Server:
    """The branch, and how badly the network treats what is sent to it.

    Args:
        world: Time and chance.
        trouble: How many of a thousand exchanges go wrong in each way.
        log: The log with all rules, or one that breaks some on purpose.
    """

    def __init__(
        self, world: World, trouble: int, log: Callable[[str, SharedBranch], MemoryStateLog]
    ) -> None:
        self.world = world
        self.trouble = trouble
        self.branch = SharedBranch()
        self.log = log("web", self.branch)
        self.down_until = 0.0
        self.counts: Counter[str] = Counter()
        self.landed: list[tuple[float, str, LogView]] = []
        self.acknowledged: list[LogView] = []

    def has_trouble(self, what: str) -> bool:
        """Decide whether *what* happens now."""
        happens = self.world.chance.randrange(1000) < self.trouble
        self.counts[what] += happens
        return happens

    def is_down(self) -> bool:
        """Tell whether it has crashed and is not back yet."""
        return self.world.now < self.down_until

    def has_written(self, view: LogView, entry: LogEntry, there: LogView) -> bool:
        """Tell whether the head of *there* is *entry* on top of *view*: the very same commit."""
        seen = (each for each in reversed(self.branch.entries) if each.commit.id == there.head)
        last = next(seen, None)
        return (
            last is not None
            and last.commit.parents == ((view.head,) if view.head else ())
            and last.commit.trailers == entry.trailers
            and all(last.files.get(name) == text for name, text in entry.files.items())
        )

    def apply(self, who: str, view: LogView, entry: LogEntry, records: Records) -> LogView:
        """Move the branch by compare-and-swap; on return it is on the server's disk."""
        new = self.log.append(view, entry, records)
        self.landed.append((self.world.now, who, new))
        self.world.tell("server", f"{entry.subject} ({who})")
        return new


class Client:
    """The state log as one process sees it; see `StateLog`. Its answers are those of `Remote`."""

    infra = "web"

    def __init__(self, server: Server, machine: Machine) -> None:
        self._server, self._machine = server, machine

    def read(self) -> LogView:
        """See `StateLog.read`."""
        self._travel()
        if self._server.is_down() or self._server.has_trouble("read lost"):
            self._machine.sleep(TIMEOUT)
            raise RemoteUnreachable("the remote does not answer")
        view = self._server.log.read()
        self._travel()
        return view

    def read_records(self, view: LogView) -> dict[ResourceId, Record]:
        """See `StateLog.read_records`."""
        return self._server.log.read_records(view)

    def open_records(self, view: LogView) -> MemoryRecords:
        """See `StateLog.open_records`."""
        return self._server.log.open_records(view)

    def append(self, view: LogView, entry: LogEntry, records: Records = None) -> LogView:
        """See `StateLog.append`: an answer that was lost is looked up, as `Remote.push` does."""
        try:
            new = self._push(view, entry, records)
        except TimeoutError:
            new = self._look_up(view, entry)
        self._server.acknowledged.append(new)
        return new

    def _push(self, view: LogView, entry: LogEntry, records: Records) -> LogView:
        server, who = self._server, self._machine.name
        self._travel()
        if server.is_down() or server.has_trouble("push lost"):
            self._machine.sleep(TIMEOUT)
            raise TimeoutError
        if server.has_trouble("push late"):
            self._deliver(view, entry, records, server.world.chance.uniform(0.0, 400.0))
            self._machine.sleep(TIMEOUT)
            raise TimeoutError
        new = server.apply(who, view, entry, records)
        if server.has_trouble("push twice"):
            self._deliver(view, entry, records, server.world.chance.uniform(0.0, 400.0))
        if server.has_trouble("answer lost"):
            self._machine.sleep(TIMEOUT)
            raise TimeoutError
        self._travel()
        return new

    def _deliver(self, view: LogView, entry: LogEntry, records: Records, delay: float) -> None:
        """Let a push arrive when nobody waits for it any more, whatever became of its sender."""
        network = Machine(self._server.world, "network", rate=1.0, offset=0.0, skew=0.0)

        def arrive() -> None:
            network.sleep(delay)
            try:
                self._server.apply(f"{self._machine.name}, late", view, entry, records)
            except HeadMoved:
                self._server.counts["late push refused"] += 1

        network.spawn(arrive)

    def _look_up(self, view: LogView, entry: LogEntry) -> LogView:
        try:
            there = self.read()
        except RemoteUnreachable as exc:
            raise RemoteUnreachable("it is unknown whether it was pushed") from exc
        if self._server.has_written(view, entry, there):
            self._server.counts["lost answer recognised"] += 1
            return there
        if there.head != view.head:
            raise HeadMoved("web is no longer there")
        raise RemoteUnreachable("the push did not arrive")

    def _travel(self) -> None:
        self._machine.sleep(self._server.world.chance.uniform(0.01, 0.3))

    def read_history(self, limit: int | None = None) -> Iterator[LogCommit]:
        """See `StateLog.read_history`."""
        return self._server.log.read_history(limit)

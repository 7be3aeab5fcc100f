"""Operations that go on by themselves: waited for, and taken over by the next run."""

import pytest
from sandboxes import Sandbox, build_resource

from provisioning.core.model.errors import HalfMade
from provisioning.core.model.kinds import HANDLE, PRIVATE
from provisioning.core.model.providers import Pending
from provisioning.core.model.records import Outcome
from provisioning.reconciler.events import EventKind
from provisioning.testing.effects import Crash
from provisioning.testing.memory import MemoryProvider
from provisioning.testing.slow_provider import Operations, SlowProvider
from provisioning.testing.worlds import World

A = build_resource("Thing/a", {"size": 1})
NEVER = 10**9


class Shop:
    """A world whose operations take a while, and the processes that work on it one by one."""

    def __init__(self, folder, **operations):
        self.world = World()
        self.operations = Operations(**operations)
        self._folder = folder
        self._pid = 1
        self.box = self.build_box()

    def build_box(self, **shared):
        provider = SlowProvider(MemoryProvider(self.world), self.operations)
        folder = self._folder / f"{self._pid}"
        return Sandbox(folder, world=self.world, provider=provider, pid=self._pid, **shared)

    def restart(self, *, keeps_disk=True):
        """Let the process die and another one begin, on the same disk or with none."""
        self.box.die()
        shared = {"branch": self.box.branch, "commits": self.box.commits}
        gone = self.box.gone
        self._pid += not keeps_disk
        self.box = self.build_box(**shared)
        self.box.gone |= gone
        self.box.seen_for = 10_000.0

    def list_things(self):
        return [(str(it.mark.resource), it.attributes["size"]) for it in self.list_live()]

    def list_live(self):
        return list(self.world.snapshot().values())


@pytest.fixture
def build_shop(tmp_path):
    return lambda **operations: Shop(tmp_path, **operations)


def outcomes(report):
    return {change.id: str(change.outcome) for change in report.run.changes}


def halt_at_first_wait(box):
    """Ask the run to stop when it first waits for an operation."""
    listener = box.events

    class Events(list):
        def append(self, event):
            if event.kind is EventKind.OPERATION_WAITING:
                box.stop.request()
            listener.append(event)

    box.events = Events()


@pytest.mark.parametrize("is_visible", [True, False])
def test_an_operation_is_asked_about_until_it_ends(build_shop, is_visible):
    """It is begun once; the run that began it waits, tells so once, and records the end."""
    shop = build_shop(steps=4, is_visible=is_visible)
    commit = shop.box.commits.commit(A)
    report = shop.box.reconcile(commit)
    assert outcomes(report) == {"Thing/a": "created"}
    waits = [it for it in shop.box.events if it.kind is EventKind.OPERATION_WAITING]
    assert [it.text for it in waits] == ["create has begun"]
    assert shop.operations.begun == 1
    assert HANDLE not in shop.box.read_records()["Thing/a"].attributes
    assert shop.box.reconcile(commit).run is None


@pytest.mark.parametrize("is_visible", [True, False])
@pytest.mark.parametrize("keeps_disk", [True, False])
def test_a_creation_survives_a_stopped_run(build_shop, is_visible, keeps_disk):
    """The record keeps the handle, so the next run goes on, on another machine too."""
    shop = build_shop(steps=NEVER, is_visible=is_visible)
    commit = shop.box.commits.commit(A)
    halt_at_first_wait(shop.box)
    assert outcomes(shop.box.reconcile(commit)) == {"Thing/a": "uncertain"}
    record = shop.box.read_records()["Thing/a"]
    assert record.attributes[HANDLE] == "create-1"
    assert "still under way" in record.error
    shop.restart(keeps_disk=keeps_disk)
    (change,) = shop.box.look(commit).plan.changes
    assert (change.action, change.reason) == ("update", "an operation on it is still under way")
    shop.operations.open["create-1"].steps = 3
    assert outcomes(shop.box.reconcile(commit)) == {"Thing/a": "updated"}
    assert shop.list_things() == [("Thing/a", 1)]
    assert shop.operations.begun == 1
    assert HANDLE not in shop.box.read_records()["Thing/a"].attributes
    assert shop.box.reconcile(commit).run is None


@pytest.mark.parametrize("is_visible", [True, False])
@pytest.mark.parametrize("keeps_disk", [True, False])
def test_a_creation_survives_a_crash(build_shop, monkeypatch, is_visible, keeps_disk):
    """The handle is on disk and in the state log before the run waits."""
    shop = build_shop(steps=NEVER, is_visible=is_visible)
    commit = shop.box.commits.commit(A)

    def die(event):
        if event.kind is EventKind.OPERATION_WAITING:
            raise Crash

    monkeypatch.setattr(shop.box, "events", type("Dies", (), {"append": staticmethod(die)})())
    with pytest.raises(Crash):
        shop.box.reconcile(commit)
    shop.restart(keeps_disk=keeps_disk)
    shop.operations.open["create-1"].steps = 3
    report = shop.box.reconcile(commit)
    assert report.run.result == "done"
    assert shop.list_things() == [("Thing/a", 1)]
    assert shop.operations.begun == 1
    assert shop.box.reconcile(commit).run is None


def test_what_is_being_made_and_no_longer_desired_goes(build_shop):
    """The removal waits for the end of the creation; nothing is left."""
    shop = build_shop(steps=NEVER)
    first = shop.box.commits.commit(A)
    halt_at_first_wait(shop.box)
    shop.box.reconcile(first)
    shop.restart()
    shop.operations.open["create-1"].steps = 2
    empty = shop.box.commits.commit()
    report = shop.box.reconcile(empty, allow=["prune"])
    assert outcomes(report) == {"Thing/a": "deleted"}
    assert shop.list_live() == []
    assert shop.box.read_records() == {}


def test_a_removal_survives_a_stopped_run(build_shop):
    """The record stays with the handle until the resource is gone."""
    shop = build_shop(steps=1)
    shop.box.reconcile(shop.box.commits.commit(A))
    shop.operations.steps = NEVER
    empty = shop.box.commits.commit()
    halt_at_first_wait(shop.box)
    assert outcomes(shop.box.reconcile(empty, allow=["prune"])) == {"Thing/a": "uncertain"}
    assert shop.box.read_records()["Thing/a"].attributes[HANDLE] == "delete-2"
    shop.restart(keeps_disk=False)
    shop.operations.open["delete-2"].steps = 2
    assert shop.box.reconcile(empty, allow=["prune"]).run.result == "done"
    assert (shop.list_live(), shop.box.read_records()) == ([], {})


def test_an_update_survives_a_stopped_run(build_shop):
    """The next run waits for it, and then makes what is asked for by then."""
    shop = build_shop(steps=1)
    shop.box.reconcile(shop.box.commits.commit(A))
    shop.operations.steps = NEVER
    two = shop.box.commits.commit(build_resource("Thing/a", {"size": 2}))
    halt_at_first_wait(shop.box)
    assert outcomes(shop.box.reconcile(two)) == {"Thing/a": "uncertain"}
    shop.restart(keeps_disk=False)
    shop.operations.open["update-2"].steps = 3
    three = shop.box.commits.commit(build_resource("Thing/a", {"size": 3}))
    assert shop.box.reconcile(three).run.result == "done"
    assert shop.list_things() == [("Thing/a", 3)]
    assert shop.box.reconcile(three).run is None


def test_an_operation_that_takes_too_long_is_left_to_the_next_run(build_shop, monkeypatch):
    """Its own time counts, not that of a call; others are not held up for ever."""
    shop = build_shop(steps=NEVER)
    commit = shop.box.commits.commit(A, build_resource("Note/n", {"input": 1}))
    monkeypatch.setattr(
        "provisioning.reconciler.execution.operation_runner.OperationRunner.get_timeout",
        lambda *_: 0.3,
    )
    report = shop.box.reconcile(commit)
    assert outcomes(report) == {"Note/n": "created", "Thing/a": "uncertain"}
    (error,) = (change.error for change in report.run.changes if change.error)
    assert error.startswith("the create is still under way: not finished in time")


class Odd(MemoryProvider):
    """Answers a creation with whatever a test sets."""

    answer = None

    def create(self, call):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Pending(handle="", reason="x"), "without a handle"),
        (Pending(handle=7, reason="x"), "without a handle"),
        (Pending(handle="h", reason="x", seconds=float("nan")), "without a usable time"),
        (Pending(handle="h", reason="x", attributes={"a": object()}), "JSON cannot say"),
        ({"size": 1, PRIVATE: b"\0"}, "private data that are not a text"),
    ],
)
def test_an_odd_answer_is_blamed_on_the_provider(tmp_path, answer, words):
    """What cannot be recorded must not be begun with."""
    provider = Odd(World())
    provider.answer = answer
    box = Sandbox(tmp_path, provider=provider)
    (change,) = box.reconcile(box.commits.commit(A)).run.changes
    assert change.outcome is Outcome.FAILED
    assert "provider 'memory'" in change.error
    assert words in change.error


def test_what_was_half_made_is_recorded_with_what_finds_it(tmp_path):
    """Even where the provider cannot find it by its mark."""
    provider = Odd(World())
    provider.answer = HalfMade("the disk is full", {"serial": "t-9", PRIVATE: "state"})
    box = Sandbox(tmp_path, provider=provider)
    report = box.reconcile(box.commits.commit(A))
    assert outcomes(report) == {"Thing/a": "failed"}
    record = box.read_records()["Thing/a"]
    assert record.attributes == {"serial": "t-9", PRIVATE: "state"}
    assert "the disk is full" in record.error


def test_private_data_come_back_and_are_not_compared(tmp_path):
    """They are in the record and in each call, and no reason for a change."""
    seen = []

    class Private(MemoryProvider):
        def create(self, call):
            return {**super().create(call), PRIVATE: "one"}

        def update(self, call):
            seen.append(call.attributes.get(PRIVATE))
            plain = {name: it for name, it in call.attributes.items() if name != PRIVATE}
            from msgspec.structs import replace

            return super().update(replace(call, attributes=plain))

    from provisioning.providers.instance import ProviderInstance

    world = World()
    inner = Private(world)
    provider = ProviderInstance("memory", inner.describe(), {}, lambda _: inner)
    box = Sandbox(tmp_path, world=world, provider=provider)
    commit = box.commits.commit(A)
    box.reconcile(commit)
    assert box.read_records()["Thing/a"].attributes[PRIVATE] == "one"
    assert box.reconcile(commit).run is None
    box.reconcile(box.commits.commit(build_resource("Thing/a", {"size": 2})))
    assert seen == ["one"]
    assert box.read_records()["Thing/a"].attributes[PRIVATE] == "one"

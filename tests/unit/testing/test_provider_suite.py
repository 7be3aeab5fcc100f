"""A suite that passes whatever it is given proves nothing: so it is given broken providers."""

import time

import pytest
from msgspec.structs import replace

from provisioning.core.model.providers import Absent, Observed, Present, ProbeWaiting, Unreadable
from provisioning.testing import Case, MemoryProvider, ProviderSuite, World
from provisioning.testing.memory_kinds import NOTE, SERVICE, SLOT, THING

CASES = {
    "Thing": Case(
        kind=THING,
        name="t",
        spec={"size": 1, "zone": "n"},
        changed_spec={"size": 2, "zone": "n"},
        immutable_change={"size": 1, "zone": "s"},
        half=lambda suite, call: suite.world.add("Thing", {}, call.mark),
        unreadable=lambda suite: suite.world.unreadable.update({"Thing/t": "hidden"}),
    ),
    "Slot": Case(
        kind=SLOT,
        name="s",
        spec={"place": "p", "value": 1},
        changed_spec={"place": "p", "value": 2},
        immutable_change={"place": "q", "value": 1},
        foreign=lambda suite: suite.world.add("Slot", {"place": "p", "value": 0}),
    ),
    "Service": Case(
        kind=SERVICE,
        name="x",
        spec={"ready_after": 1, "timeout": 0.05},
        changed_spec={"ready_after": 2, "timeout": 0.05},
    ),
    "Note": Case(kind=NOTE, name="n", spec={"input": 1}, changed_spec={"input": 2}),
}


def change_answers(change):
    """Build a provider whose observations go through *change*."""

    class Changed(MemoryProvider):
        def observe(self, owner, targets):
            return change(self._world, super().observe(owner, targets))

    return Changed


def map_answers(change):
    def apply(_, observed):
        return replace(observed, answers=[change(answer) for answer in observed.answers])

    return change_answers(apply)


def forget_run(answer):
    return replace(answer, mark=replace_mark(answer.mark)) if is_marked(answer) else answer


def is_marked(answer):
    return isinstance(answer, Present) and answer.mark


def replace_mark(mark):
    return type(mark)(mark.owner, "0-000000", 0)


def touch(world, observed):
    world.add("Thing", {})
    return observed


class Amnesiac(MemoryProvider):
    """Makes another one each time."""

    def create(self, call):
        there = self._world.add(call.kind, {**call.spec, "color": "grey"}, call.mark)
        return self._world.change(there.id, {"serial": there.id, "address": "x"}).attributes


class Careless(MemoryProvider):
    """Looks at no mark before it deletes or overwrites."""

    def delete(self, call):
        for live in self._world.snapshot().values():
            if live.kind == call.kind:
                self._world.remove(live.id)

    def create(self, call):
        for live in self._world.snapshot().values():
            self._world.put(replace(live, mark=call.mark))
        return super().create(call)


class Lazy(MemoryProvider):
    """Answers what is wanted, and does nothing."""

    def update(self, call):
        return {**call.attributes, **call.spec}

    def delete(self, call):
        pass


class Restarter(MemoryProvider):
    """Has a new serial after each update."""

    def update(self, call):
        answer = super().update(call)
        serial = f"new-{self._world.calls['update']}"
        return self._world.change(answer["serial"], {"serial": serial}).attributes


class Mute(MemoryProvider):
    """Answers less than it made."""

    def create(self, call):
        return {**super().create(call), "size": None}


class Strict(MemoryProvider):
    """Cannot delete twice or close twice."""

    def delete(self, call):
        if not self._find_exact(SLOT if call.kind == "Slot" else THING, call):
            raise LookupError
        super().delete(call)

    def close(self):
        if self._world.calls["close"]:
            raise OSError("closed")
        super().close()


class Private(MemoryProvider):
    """Keeps what it makes to itself."""

    def __init__(self, world):
        super().__init__(World())


class Waiter(MemoryProvider):
    """Never becomes ready."""

    def probe(self, kind, attributes):
        return ProbeWaiting("nothing in particular")


class Moody(MemoryProvider):
    """Describes itself otherwise each time, slowly, without all its kinds."""

    def describe(self):
        self._world.calls["describe"] += 1
        return [THING, replace(SLOT, summary=str(self._world.calls["describe"]))]


class Noter(MemoryProvider):
    """Puts what is only recorded into the world, and never answers the same."""

    def create(self, call):
        self._world.add(call.kind, call.spec, call.mark)
        return {**super().create(call), "at": time.perf_counter()}


def drop_strays(_, observed):
    return Observed(answers=observed.answers)


def invent_strays(_, observed):
    return replace(observed, strays={"Thing/ghost": Present({}, None)})


def reverse(_, observed):
    return replace(observed, answers=list(observed.answers)[::-1])


def hide_size(answer):
    if not isinstance(answer, Present):
        return answer
    return replace(answer, attributes={k: v for k, v in answer.attributes.items() if k != "size"})


def absent_if_unreadable(answer):
    return Absent() if isinstance(answer, Unreadable) else answer


BROKEN = [
    (Moody, "Slot", "describe_is_pure"),
    (Moody, "Note", "kinds_are_consistent"),
    (Noter, "Note", "recorded_only_is_answered"),
    (Strict, "Slot", "close_twice"),
    (map_answers(hide_size), "Thing", "created_is_seen"),
    (map_answers(forget_run), "Thing", "created_is_seen"),
    (Mute, "Thing", "create_answers_what_is_seen"),
    (Restarter, "Thing", "update_twice_is_one"),
    (Amnesiac, "Thing", "create_twice_makes_one"),
    (Amnesiac, "Slot", "create_spares_the_foreign"),
    (Careless, "Slot", "create_spares_the_foreign"),
    (Careless, "Slot", "create_spares_another_owners"),
    (Amnesiac, "Thing", "half_made_is_completed"),
    (Amnesiac, "Slot", "create_completes_an_older_one"),
    (Lazy, "Thing", "updated_is_seen"),
    (Lazy, "Slot", "update_adopts"),
    (Restarter, "Thing", "update_keeps_what_does_not_follow"),
    (Lazy, "Slot", "replacement"),
    (Lazy, "Thing", "deleted_is_absent"),
    (Strict, "Slot", "deleted_is_absent"),
    (Careless, "Slot", "delete_spares_the_foreign"),
    (Careless, "Slot", "delete_spares_another_owners"),
    (Careless, "Thing", "owners_are_apart"),
    (change_answers(invent_strays), "Thing", "nothing_is_absent"),
    (map_answers(lambda _: Unreadable("?")), "Thing", "nothing_is_absent"),
    (change_answers(reverse), "Thing", "many_are_answered_in_order"),
    (map_answers(absent_if_unreadable), "Thing", "unreadable_is_not_absent"),
    (Private, "Thing", "instances_see_one_world"),
    (change_answers(touch), "Thing", "observe_changes_nothing"),
    (change_answers(drop_strays), "Thing", "strays_are_reported"),
    (Waiter, "Service", "probe_tells_when_it_serves"),
]


def build_suite(provider_class):
    class Suite(ProviderSuite):
        world = World()

        def build_provider(self, tmp_path):
            return provider_class(self.world)

        def build_cases(self):
            return list(CASES.values())

        def read_world(self):
            return self.world.snapshot()

    suite = Suite()
    suite.setup_method()
    return suite


@pytest.mark.parametrize(("provider_class", "kind", "truth"), BROKEN)
def test_suite_catches_the_breach(provider_class, kind, truth, tmp_path):
    """A provider that breaks a truth fails that truth's test."""
    test = getattr(build_suite(provider_class), f"test_{truth}")
    with pytest.raises((AssertionError, LookupError, OSError)):
        test(tmp_path, CASES[kind])


@pytest.mark.parametrize(("kind", "truth"), sorted({(kind, truth) for _, kind, truth in BROKEN}))
def test_suite_passes_the_sound(kind, truth, tmp_path):
    """The same tests pass for the provider that keeps the contract."""
    suite = build_suite(MemoryProvider)
    getattr(suite, f"test_{truth}")(tmp_path, CASES[kind])
    suite.teardown_method()
    suite.world.unreadable.clear()
    for trial in suite._trials:
        trial.clear()
    assert all(live.mark is None for live in suite.world.snapshot().values())


def test_every_truth_is_numbered_once():
    """The truths are numbered 1, 2, 3 … in their docstrings, so that one can be named."""
    tests = [getattr(ProviderSuite, name) for name in dir(ProviderSuite) if name[:5] == "test_"]
    numbers = sorted(int(test.__doc__.partition(".")[0]) for test in tests)
    assert numbers == list(range(1, len(tests) + 1))


def test_every_public_name_is_there():
    """What `provisioning.testing` lists it has."""
    import provisioning.testing

    assert all(hasattr(provisioning.testing, name) for name in provisioning.testing.__all__)


def test_untried_kind_is_found(tmp_path):
    """A kind without a case fails the suite."""
    suite = build_suite(MemoryProvider)
    suite.build_cases = lambda: [CASES["Thing"]]
    with pytest.raises(AssertionError, match="Slot"):
        suite.test_every_kind_is_tried(tmp_path, CASES["Thing"])


def test_invalid_spec_is_found():
    """A case whose spec its own model refuses fails the suite."""
    wrong = replace(CASES["Thing"], changed_spec={"size": "two"})
    with pytest.raises(AssertionError, match="valid spec"):
        build_suite(MemoryProvider).test_model_checks_specs(wrong)

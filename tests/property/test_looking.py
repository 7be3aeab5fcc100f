"""A look at what may have changed finds what a look at everything finds."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from memory_statelogs import MemoryStateLog
from msgspec.structs import replace
from sandboxes import MemoryManifest, Sandbox, build_resource

from provisioning.core.model.errors import ProvisioningError
from provisioning.core.model.ids import ResourceId
from provisioning.localstore.plan_cache import load_plan_cache
from provisioning.reconciler.planning.plan_result import RunRequest
from provisioning.testing.effects import PatchPoint, cut_at
from provisioning.testing.memory import MemoryProvider

NAMES = [f"n{number}" for number in range(8)]
POINTS = (
    PatchPoint(MemoryStateLog, "append", "append"),
    PatchPoint(MemoryProvider, "create", "create"),
    PatchPoint(MemoryProvider, "update", "update"),
    PatchPoint(MemoryProvider, "delete", "delete"),
)

name = st.sampled_from(NAMES)
inputs = st.one_of(
    st.integers(0, 2),
    st.just("{{env.X}}"),
    name.map(lambda other: f"{{{{resources.Note/{other}.output}}}}"),
    name.map(lambda other: f"of {{{{resources.Note/{other}.output}}}} in {{{{env.X}}}}"),
)
steps = st.one_of(
    st.tuples(st.just("note"), name, inputs),
    st.tuples(st.just("need"), name, name),
    st.tuples(st.just("drop"), name),
    st.tuples(st.just("move"), name, name),
    st.tuples(st.just("thing"), name, st.integers(0, 2)),
    st.tuples(st.just("drift"), st.integers(0, 9)),
    st.tuples(st.just("env"), st.integers(0, 2)),
    st.tuples(st.just("apply")),
    st.tuples(st.just("cut"), st.integers(1, 6)),
    st.tuples(st.just("lose the cache")),
)


class Story:
    """One workspace whose desired state, settings and world change step by step."""

    def __init__(self):
        self.home = Path(tempfile.mkdtemp())
        self.box = Sandbox(self.home)
        self.env = 0
        self.desired = {n: build_resource(f"Note/{n}", {"input": n}) for n in NAMES}
        self.do("apply")

    def do(self, step, *details):
        getattr(self, f"do_{step.partition(' ')[0]}")(*details)

    def do_note(self, n, value):
        self.desired[n] = build_resource(f"Note/{n}", {"input": value})

    def do_need(self, n, other):
        self.desired[n] = build_resource(f"Note/{n}", {"input": 0}, depends_on=[f"Note/{other}"])

    def do_drop(self, n):
        self.desired.pop(n, None)

    def do_move(self, old, new):
        self.desired.pop(old, None)
        origin = ResourceId(f"Note/{old}")
        self.desired[new] = build_resource(f"Note/{new}", {"input": 7}, moved_from=origin)

    def do_thing(self, n, size):
        self.desired["thing"] = build_resource(
            "Thing/t", {"size": size, "link": f"{{{{resources.Note/{n}}}}}"}
        )

    def do_drift(self, size):
        for item in self.box.world.snapshot().values():
            self.box.world.change(item.id, {"size": size})

    def do_env(self, value):
        self.env = value

    def do_apply(self):
        self.attempt(lambda request: self.build().reconcile(request))

    def do_cut(self, number):
        with cut_at(number, POINTS, when="after"):
            self.do_apply()
        self.box.die()

    def do_lose(self):
        (self.home / "settled.msgpack").unlink(missing_ok=True)

    def build(self, **changes):
        reconciler = self.box.build_reconciler()
        changes["lookup"] = lambda *_: self.env
        planner = replace(reconciler.planner, **changes)
        return replace(reconciler, planner=planner)

    def attempt(self, act):
        commit = self.box.commits.commit(*self.desired.values())
        request = RunRequest(commit=commit, reason="test", allow=["prune"])
        try:
            return act(request)
        except ProvisioningError as exc:
            return (exc.code, exc.message, exc.hint, exc.source)

    def look(self, reconciler):
        return self.attempt(reconciler.plan)


def compare(some, everything):
    if isinstance(everything, tuple):
        assert some == everything
        return
    plan = replace(everything.plan, commit=some.plan.commit, known_values=some.plan.known_values)
    assert some.plan == plan
    assert some.plan.digest == everything.plan.digest
    assert some.violations == everything.violations
    assert some.has_work == everything.has_work
    known = everything.plan.known_values
    assert all(known[name] == value for name, value in some.plan.known_values.items())


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(steps, min_size=1, max_size=8))
@example([("note", "n1", "{{resources.Note/n0.output}}"), ("apply",), ("note", "n0", 2)])
@example([("note", "n1", "{{resources.Note/n0.output}}"), ("apply",), ("drop", "n0")])
@example([("note", "n1", "{{env.X}}"), ("apply",), ("env", 1)])
@example([("move", "n1", "x"), ("apply",), ("note", "n1", 0)])
@example([("lose the cache",), ("note", "n1", 2), ("apply",), ("drop", "n1")])
def test_a_look_at_what_may_have_changed_is_a_look_at_everything(history):
    """P5, P6, P11: after any history the plan, its digest and its errors are the same."""
    story = Story()
    for step in history:
        story.do(*step)
        some = story.look(story.build())
        nowhere = Path(tempfile.mkdtemp()) / "settled.msgpack"
        compare(some, story.look(story.build(plan_cache=nowhere)))


@pytest.mark.parametrize("looks", [0, 1], ids=["after a run", "after a look"])
def test_only_what_changed_and_what_follows_from_it_is_read(tmp_path, monkeypatch, looks):
    """P11: of fifty settled resources the one that changed and its follower are looked at."""
    box = Sandbox(tmp_path)
    state = {n: build_resource(f"Note/n{n}", {"input": n}) for n in range(50)}
    state[7] = build_resource("Note/n7", {"input": "{{resources.Note/n3.output}}"})
    box.reconcile(box.commits.commit(*state.values()))
    for _ in range(looks):
        box.look(box.commits.commit(*state.values()))
    state[3] = build_resource("Note/n3", {"input": "new"})
    read = []
    original = MemoryManifest.read
    monkeypatch.setattr(
        MemoryManifest, "read", lambda self: read.append(self.resource.id) or original(self)
    )
    plan = box.look(box.commits.commit(*state.values())).plan
    assert sorted(read) == ["Note/n3", "Note/n7"]
    assert [each.id for each in plan.changes] == ["Note/n3", "Note/n7"]
    assert len(plan.unchanged) == 48


def test_a_kind_that_is_in_the_world_is_never_settled(tmp_path):
    """P5: its drift is seen, for it is looked at each time."""
    box = Sandbox(tmp_path)
    state = [build_resource(f"Note/n{n}", {"input": n}) for n in range(9)]
    commit = box.commits.commit(*state, build_resource("Thing/t", {"size": 1}))
    box.reconcile(commit)
    assert box.look(commit).plan.changes == ()
    (item,) = box.world.snapshot().values()
    box.world.change(item.id, {"size": 2})
    assert [each.id for each in box.look(commit).plan.changes] == ["Thing/t"]
    box.world.unreadable[ResourceId("Thing/t")] = "403"
    assert [each.id for each in box.look(commit).plan.blocked] == ["Thing/t"]


def test_a_settlement_of_another_key_settles_nothing(tmp_path):
    """What code, kinds and key found is not what others would find."""
    box = Sandbox(tmp_path)
    state = [build_resource(f"Note/n{n}", {"input": n}) for n in range(9)]
    box.reconcile(box.commits.commit(*state))
    box.look(box.commits.commit(*state))
    planner = box.build_reconciler().planner
    other = box.build_reconciler(key=b"x" * 32).planner
    versions = [each._compute_version() for each in (planner, other)]
    found = [load_plan_cache(planner.plan_cache, version).settled for version in versions]
    assert [len(each) for each in found] == [9, 0]


def test_damage_settles_nothing(tmp_path):
    """A cache is only a shortcut: garbage in it changes nothing."""
    box = Sandbox(tmp_path)
    state = [build_resource(f"Note/n{n}", {"input": n}) for n in range(9)]
    box.reconcile(box.commits.commit(*state))
    commit = box.commits.commit(*state)
    plan = box.look(commit).plan
    file = tmp_path / "settled.msgpack"
    for garbage in (b"", b"\x93\x01", file.read_bytes()[:-3], b"\x81\xa1\xff\x00"):
        file.write_bytes(garbage)
        assert replace(box.look(commit).plan, known_values=plan.known_values) == plan

"""Every scenario, cut before and after each of its effects, run again, judged by the world."""

import pytest
from memory_statelogs import MemoryStateLog
from sandboxes import Sandbox, build_resource

from provisioning.core.model.ids import ResourceId
from provisioning.core.statelog.fsck import compute_findings
from provisioning.localstore.journal import Journal
from provisioning.reconciler.planning.plan_result import Conclusion
from provisioning.testing.effects import PatchPoint, cut_at, trace_effects
from provisioning.testing.memory import MemoryProvider

POINTS = (
    PatchPoint(MemoryStateLog, "append", "append"),
    PatchPoint(Journal, "begin", "journal begin"),
    PatchPoint(Journal, "end", "journal end"),
    PatchPoint(MemoryProvider, "create", "create"),
    PatchPoint(MemoryProvider, "update", "update"),
    PatchPoint(MemoryProvider, "delete", "delete"),
)

FOREIGN = {"place": "theirs", "value": "by hand"}


def things(**sizes):
    return [build_resource(f"Thing/{name}", {"size": size}) for name, size in sizes.items()]


def slot(place, **more):
    return build_resource("Slot/s", {"place": place, **more})


def chain(value):
    return [
        build_resource("Thing/a", {"size": value}),
        build_resource("Note/n", {"input": "{{resources.Thing/a.serial}}-" + str(value)}),
        build_resource("Thing/b", {"link": "{{resources.Note/n.output}}"}),
        build_resource("Slot/s", {"place": "p{{resources.Note/n.input}}"}),
    ]


MOVED = build_resource("Thing/new", {"size": 1}, moved_from=ResourceId("Thing/old"))

SCENARIOS = {
    "create": ([], things(a=1, b=2)),
    "chain": ([], chain(1)),
    "update": (things(a=1, b=2), things(a=3, b=2)),
    "chain update": (chain(1), chain(2)),
    "delete": (things(a=1, b=2), things(b=2)),
    "replace, old first": (
        [build_resource("Thing/a", {"zone": "x"})],
        [build_resource("Thing/a", {"zone": "y"})],
    ),
    "replace, new first": ([slot("p1")], [slot("p2")]),
    "replace, new first, and followers": (
        [slot("p1"), build_resource("Thing/t", {"link": "{{resources.Slot/s.place}}"})],
        [slot("p2"), build_resource("Thing/t", {"link": "{{resources.Slot/s.place}}"})],
    ),
    "move": (things(old=1, x=1), [MOVED, *things(x=1)]),
    "move and replace": (
        [build_resource("Thing/old", {"zone": "x"}), *things(x=1)],
        [
            build_resource("Thing/new", {"zone": "y"}, moved_from=ResourceId("Thing/old")),
            *things(x=1),
        ],
    ),
    "everything": (
        [*things(a=1, gone=1), slot("p1")],
        [*things(a=2, new=1), slot("p2", value="v")],
    ),
}


def expect(resources):
    """What must be in the world, by id: the fields that are stated and need no reference."""
    return {
        each.id: {k: v for k, v in each.spec.items() if "{{" not in str(v)}
        for each in resources
        if each.kind != "Note"
    }


def judge(box, resources):
    """Look at world and log only: nothing leaked, nothing twice, nothing foreign touched."""
    live = [item for item in box.world.snapshot().values() if item.mark]
    names = [str(item.mark.resource) for item in live]
    assert sorted(names) == sorted(expect(resources))
    for item in live:
        wanted = expect(resources)[item.mark.resource]
        assert {name: item.attributes.get(name) for name in wanted} == wanted
    foreign = [item.attributes for item in box.world.snapshot().values() if not item.mark]
    assert foreign == [FOREIGN]
    assert list(compute_findings(box.log.read_history())) == []
    view = box.log.read()
    assert (view.lock, view.begin) == (None, None)
    assert set(box.read_records()) == {each.id for each in resources}


def start(tmp_path, scenario):
    box = Sandbox(tmp_path / "home")
    box.world.add("Slot", FOREIGN)
    old, new = SCENARIOS[scenario]
    if old:
        box.reconcile(box.commits.commit(*old))
    return box, box.commits.commit(*new), new


def list_effects(tmp_path, scenario):
    box, commit, new = start(tmp_path, scenario)
    with trace_effects(POINTS) as trace:
        box.reconcile(commit)
    judge(box, new)
    return trace.effects


def go_on(box, tmp_path, machine):
    """Return a sandbox of the same world: the machine that was cut off, or another one."""
    home = tmp_path / ("home" if machine == "same" else "elsewhere")
    other = Sandbox(
        home,
        world=box.world,
        branch=box.branch,
        commits=box.commits,
        pid=2,
        host="here" if machine == "same" else "there",
    )
    if machine == "same":
        other.gone.add(("here", 1))
    else:
        other.seen_for = 10_000.0
    return other


@pytest.mark.parametrize("machine", ["same", "other"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_next_run_finishes_the_job(tmp_path, scenario, when, machine):
    """P2: cut anywhere, the next run makes the world what Git says, and nothing besides."""
    effects = list_effects(tmp_path / "whole", scenario)
    for number in range(1, len(effects) + 1):
        folder = tmp_path / str(number)
        box, commit, new = start(folder, scenario)
        with cut_at(number, POINTS, when=when) as trace:
            box.reconcile(commit)
        assert trace.is_cut, (number, effects)
        other = go_on(box, folder, machine)
        report = other.reconcile(commit)
        assert report.conclusion in {Conclusion.APPLIED, Conclusion.UNCHANGED}, number
        judge(other, new)
        assert other.reconcile(commit).run is None


@pytest.mark.parametrize("machine", ["same", "other"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_reverted_commit_leaves_nothing_behind(tmp_path, scenario, when, machine):
    """P2, P4: cut anywhere and then reverted, nothing that the cut run made stays."""
    effects = list_effects(tmp_path / "whole", scenario)
    old = [*SCENARIOS[scenario][0], *things(anchor=1)]
    for number in range(1, len(effects) + 1):
        folder = tmp_path / str(number)
        box, commit, _ = start(folder, scenario)
        with cut_at(number, POINTS, when=when):
            box.reconcile(commit)
        other = go_on(box, folder, machine)
        reverted = box.commits.commit(*old)
        other.reconcile(reverted)
        judge(other, old)
        assert other.reconcile(reverted).run is None

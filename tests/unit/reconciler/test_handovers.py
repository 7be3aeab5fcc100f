"""Moves of resources between infras: both state logs agree in the end, and nothing is lost."""

import pytest
from memory_statelogs import MemoryStateLog
from sandboxes import Sandbox, build_resource

from provisioning.core.infras.dependencies import compute_links
from provisioning.core.infras.order import compute_needs, order_infras
from provisioning.core.model.errors import InvalidManifest
from provisioning.core.model.records import Action
from provisioning.core.statelog.fsck import compute_findings
from provisioning.reconciler.planning.plan_result import Conclusion, RunRequest
from provisioning.testing.effects import PatchPoint, cut_at
from provisioning.testing.memory import MemoryProvider
from provisioning.testing.worlds import World

SPECS = {
    "Thing": {"size": 1, "zone": "x"},
    "Slot": {"place": "here", "value": 1},
    "Note": {"input": 1},
}
KEEP = build_resource("Note/keep", {"input": 0})


class Pair:
    """Two infras of one workspace: `web`, which gives, and `shop`, which takes."""

    def __init__(self, folder):
        self.folder = folder
        self.world = World()
        self.web = self.build("web")
        self.shop = self.build("shop")
        self.join()

    def build(self, infra, pid=1, like=None):
        folder = self.folder / infra
        folder.mkdir(exist_ok=True)
        shared = {"branch": like.branch, "commits": like.commits} if like else {}
        return Sandbox(folder, world=self.world, infra=infra, pid=pid, **shared)

    def join(self):
        for each in (self.web, self.shop):
            each.cross_infra.update(web=self.web, shop=self.shop)

    def restart(self):
        """Everything that ran has died, and is there again."""
        self.web.die()
        self.shop.die()
        gone = self.web.gone | self.shop.gone
        self.web = self.build("web", pid=self.web._holder.pid + 1, like=self.web)
        self.shop = self.build("shop", pid=self.shop._holder.pid + 1, like=self.shop)
        self.web.gone = self.shop.gone = gone
        self.join()

    def start(self, kind, name="a", spec=None):
        """Apply it in `web`, then commit that `shop` has it, under the same or another name."""
        spec = spec or SPECS[kind]
        self.web.reconcile(self.web.commits.commit(build_resource(f"{kind}/a", SPECS[kind]), KEEP))
        self.before = self.world.snapshot()
        self.left = self.web.commits.commit(KEEP)
        moved = build_resource(f"{kind}/{name}", spec, moved_from=f"{kind}/a", moved_infra="web")
        self.wanted = self.shop.commits.commit(moved, KEEP)
        return f"{kind}/{name}"

    def check(self, name):
        """It is there once, as it was, and recorded in `shop` alone; both logs are sound."""
        assert set(self.world.snapshot()) == set(self.before)
        for each in self.world.snapshot().values():
            assert each.mark.owner.split("/", 1)[1] == f"shop/{name}"
        assert set(self.shop.read_records()) == {name, "Note/keep"}
        assert set(self.web.read_records()) == {"Note/keep"}
        for box, commit in ((self.web, self.left), (self.shop, self.wanted)):
            assert box.reconcile(commit).conclusion is Conclusion.UNCHANGED
            assert not list(compute_findings(box.log.read_history()))


@pytest.fixture
def pair(tmp_path):
    return Pair(tmp_path)


@pytest.mark.parametrize("kind", ["Thing", "Slot", "Note"])
@pytest.mark.parametrize("name", ["a", "b"])
def test_it_is_taken_and_then_let_go(pair, kind, name):
    """Found by its mark, by its place, or in the log alone; under its name or another."""
    moved = pair.start(kind, name)
    plan = pair.shop.look(pair.wanted).plan
    (change,) = [each for each in plan.changes if each.id == moved]
    assert (change.action, change.origin) == (Action.UPDATE, f"web {kind}/a")
    assert change.reason == f"it was {kind}/a of web"
    assert pair.shop.reconcile(pair.wanted).conclusion is Conclusion.APPLIED
    (change,) = pair.web.look(pair.left).plan.changes
    assert (change.action, change.reason) == (Action.FORGET, f"it is {moved} of shop now")
    assert change.warning is None
    pair.web.reconcile(pair.left)
    pair.check(moved)
    assert pair.world.calls["create"] == 3
    assert pair.world.calls["delete"] == 0


@pytest.mark.parametrize("kind", ["Thing", "Slot", "Note"])
def test_who_gives_waits_for_who_takes(pair, kind):
    """The other way round nothing is deleted: it is told who must go first."""
    moved = pair.start(kind)
    report = pair.web.reconcile(pair.left)
    assert report.conclusion is Conclusion.UNCHANGED
    (blocked,) = report.plan_result.plan.blocked
    assert f"it is to be {moved} of shop, which has not taken it yet" in blocked.reason
    assert blocked.hint == "`provisioning reconcile shop` takes it"
    pair.shop.reconcile(pair.wanted)
    pair.web.reconcile(pair.left)
    pair.check(moved)


def test_a_change_on_the_way_is_made(pair):
    """Another size comes with the move; it is still an update."""
    moved = pair.start("Thing", "b", {"size": 9, "zone": "x"})
    pair.shop.reconcile(pair.wanted)
    pair.web.reconcile(pair.left)
    assert [each.attributes["size"] for each in pair.world.snapshot().values()] == [9]
    pair.check(moved)


def test_what_is_still_defined_is_not_taken(pair):
    """The place of the old definition is told; both sides leave it as it is."""
    pair.start("Thing")
    both = pair.web.commits.commit(build_resource("Thing/a", SPECS["Thing"]), KEEP)
    (blocked,) = pair.shop.look(pair.wanted).plan.blocked
    assert "web still defines Thing/a at infra/web/all.yaml:1" in blocked.reason
    assert pair.web.reconcile(both).conclusion is Conclusion.UNCHANGED


def test_a_run_that_is_cut_off_is_finished_first(pair):
    """What it did is not known; so it is not taken."""
    pair.start("Thing")
    more = pair.web.commits.commit(KEEP, build_resource("Thing/c", SPECS["Thing"]))
    with cut_at(1, [PatchPoint(MemoryProvider, "create", "create")], when="before"):
        pair.web.reconcile(more)
    (blocked,) = pair.shop.look(pair.wanted).plan.blocked
    assert "a run of web has begun and not ended" in blocked.reason


def test_what_nobody_recorded_is_made(pair):
    """A move from where it never was is a creation, as within an infra."""
    wanted = pair.shop.commits.commit(
        build_resource("Thing/b", SPECS["Thing"], moved_from="Thing/a", moved_infra="web")
    )
    (change,) = pair.shop.look(wanted).plan.changes
    assert (change.action, change.origin) == (Action.CREATE, None)


def test_a_stale_run_cannot_take_it_back(pair):
    """The provider leaves alone what bears another infra's mark by now; both logs agree again."""
    moved = pair.start("Slot")
    stale = pair.web.commits.commit(build_resource("Slot/a", {"place": "here", "value": 2}), KEEP)
    reconciler, request = pair.web.build_reconciler(), RunRequest(commit=stale, reason="stale")
    seen = reconciler.plan(request)
    pair.left = pair.web.commits.commit(KEEP)
    pair.shop.reconcile(pair.wanted)
    report = reconciler.reconcile(request, seen)
    assert report.conclusion is Conclusion.FAILED
    pair.web.reconcile(pair.left)
    pair.check(moved)


def test_it_was_in_the_infra_itself(pair):
    """Then there is nothing to say of an infra."""
    commit = pair.web.commits.commit(
        build_resource("Thing/b", moved_from="Thing/a", moved_infra="web")
    )
    with pytest.raises(InvalidManifest, match="says it was in web, where it is"):
        pair.web.look(commit)


def test_a_slip_in_the_infra_s_name_makes_nothing(pair):
    """It would be taken for something new; the nearest name is told."""
    commit = pair.shop.commits.commit(
        build_resource("Thing/b", moved_from="Thing/a", moved_infra="wbe")
    )
    with pytest.raises(InvalidManifest, match="was in infra 'wbe', and there is none") as caught:
        pair.shop.look(commit)
    assert caught.value.hint == "did you mean 'web'?"


def test_an_infra_that_cannot_be_read_may_ask_for_anything(pair, monkeypatch):
    """So nothing is deleted until it can."""
    pair.start("Thing")

    def fail(self, commit, infra):
        raise InvalidManifest("it is broken")

    monkeypatch.setattr("sandboxes.Neighbouring.list_claims", fail)
    (blocked,) = pair.web.look(pair.left).plan.blocked
    assert blocked.reason == "shop cannot be read, and may ask for it"
    assert pair.world.calls["delete"] == 0


POINTS = [
    PatchPoint(MemoryStateLog, "append", "append"),
    PatchPoint(MemoryProvider, "update", "update"),
    PatchPoint(MemoryProvider, "create", "create"),
    PatchPoint(MemoryProvider, "delete", "delete"),
]


@pytest.mark.parametrize("order", ["shop web", "web shop"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", range(1, 7))
@pytest.mark.parametrize("kind", ["Thing", "Slot", "Note"])
def test_cut_off_anywhere_it_is_never_lost_nor_twice(pair, kind, number, when, order):
    """P2: whatever was cut off, and whoever goes on first, it ends as it would have."""
    moved = pair.start(kind, "b")
    with cut_at(number, POINTS, when=when):
        pair.shop.reconcile(pair.wanted)
        pair.web.reconcile(pair.left)
    assert set(pair.world.snapshot()) == set(pair.before)
    pair.restart()
    for infra in (*order.split(), *order.split()):
        box, commit = {"web": (pair.web, pair.left), "shop": (pair.shop, pair.wanted)}[infra]
        box.reconcile(commit)
    pair.check(moved)


def move(infra, *names):
    return [
        build_resource(f"Note/{name}", moved_from="Note/a", moved_infra=infra) for name in names
    ]


def find_needs(**desired):
    return compute_needs({infra: compute_links(each, dict) for infra, each in desired.items()})


def test_who_takes_goes_first_in_a_sweep():
    """Unless it gives something away itself, or refers to who gives."""
    assert order_infras(find_needs(a=[], b=move("a", "x"))) == ["b", "a"]
    assert find_needs(a=move("b", "x"), b=move("a", "y")) == {"a": {}, "b": {}}
    reads = [build_resource("Note/n", {"input": "{{infra.a.Note/o.output}}"})]
    assert order_infras(find_needs(a=[], b=[*move("a", "x"), *reads])) == ["a", "b"]

"""What a run does to the world, in which order, judged by the manifests and the world alone."""

import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sandboxes import Sandbox, build_resource

from provisioning.core.model.ids import ResourceId
from provisioning.testing.memory import MemoryProvider
from provisioning.testing.worlds import World

NAMES = ("a", "b", "c", "d", "e")


class Watcher(MemoryProvider):
    """Notes what exists before and after each call that changes something."""

    def __init__(self, world):
        super().__init__(world)
        self.world, self.steps = world, []

    def _watch(self, verb, call):
        before = self.world.snapshot()
        answer = getattr(MemoryProvider, verb)(self, call)
        if call.kind != "Note":
            self.steps.append((verb, str(call.id), before, self.world.snapshot()))
        return answer

    def create(self, call):
        return self._watch("create", call)

    def update(self, call):
        return self._watch("update", call)

    def delete(self, call):
        return self._watch("delete", call)


class Site:
    """A sandbox whose world is watched, and what its manifests said."""

    def __init__(self):
        world = World()
        self.watcher = Watcher(world)
        self.box = Sandbox(Path(tempfile.mkdtemp()), world=world, provider=self.watcher)
        self.needs = {}

    def apply(self, manifests, parallelism=1):
        """Apply; return the steps, and whom each resource named when it was made or changed."""
        before = dict(self.needs)
        self.watcher.steps.clear()
        resources = [build(each) for each in manifests]
        report = self.box.reconcile(
            self.box.commits.commit(*resources), allow=["prune"], parallelism=parallelism
        )
        assert report.conclusion in {"applied", "unchanged"}
        self.needs = {f"{each['kind']}/{each['name']}": each["needs"] for each in manifests}
        return list(self.watcher.steps), before, self.needs


def build(manifest):
    name, needs = f"{manifest['kind']}/{manifest['name']}", manifest["needs"]
    spec = dict(manifest["spec"])
    if needs and manifest["kind"] == "Thing":
        spec["link"] = [f"{{{{resources.{each}}}}}" for each in needs]
    listed = needs if manifest["kind"] == "Slot" else []
    origin = manifest.get("moved")
    more = {"moved_from": ResourceId(origin)} if origin else {}
    return build_resource(name, spec, depends_on=listed, **more)


@st.composite
def sites(draw):
    """Manifests in which a resource may need those before it."""
    manifests = []
    for name in draw(st.permutations(NAMES))[: draw(st.integers(0, 5))]:
        kind = draw(st.sampled_from(["Thing", "Slot"]))
        spec = {
            "Thing": {"size": draw(st.integers(0, 1)), "zone": draw(st.sampled_from("xy"))},
            "Slot": {"place": f"{name}{draw(st.integers(0, 1))}", "value": draw(st.integers(0, 1))},
        }[kind]
        known = [f"{each['kind']}/{each['name']}" for each in manifests]
        needs = [each for each in known if draw(st.booleans())]
        name = f"{kind.lower()}-{name}"  # noqa: PLW2901  a reference to another kind differs
        manifests.append({"kind": kind, "name": name, "spec": spec, "needs": needs})
    return manifests


def list_names(snapshot):
    return Counter(str(each.mark.resource) for each in snapshot.values())


def look(site):
    return {str(each.mark.resource): each for each in site.box.world.snapshot().values()}


many = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@many
@given(sites(), sites(), st.sampled_from([1, 3]))
def test_only_what_differs_is_touched_and_no_more_than_once(old, new, parallelism):
    """P11: each call changes the world, and what was already as asked for is not called for."""
    site = Site()
    site.apply(old)
    before = look(site)
    steps, *_ = site.apply(new, parallelism)
    after = look(site)
    for verb, name, one, other in steps:
        if parallelism == 1:
            assert one != other, f"{verb} {name} changed nothing"
    touched = Counter((verb, name) for verb, name, *_ in steps)
    assert not touched or max(touched.values()) == 1
    for name, item in before.items():
        if after.get(name) == item:
            assert not [each for each in touched if each[1] == name]
    for name, item in after.items():
        if name in before and before[name].id == item.id:
            assert touched[("create", name)] == touched[("delete", name)] == 0


@many
@given(sites(), sites(), st.sampled_from([1, 3]))
def test_nothing_is_made_before_what_it_needs(old, new, parallelism):
    """Whatever is created or updated finds all that its manifest names in the world."""
    site = Site()
    site.apply(old)
    steps, _, needs = site.apply(new, parallelism)
    for verb, name, before, _ in steps:
        if verb != "delete":
            assert set(needs[name]) <= set(list_names(before)), f"{verb} {name} too early"


@many
@given(sites(), sites(), st.sampled_from([1, 3]))
def test_nothing_that_goes_for_good_goes_before_those_built_on_it(old, new, parallelism):
    """Prune order: who needed it is gone, or has let go of it by this run, before it is deleted.

    Only who waits for something whose old must go first cannot let go in time.
    """
    site = Site()
    site.apply(old)
    steps, needed, needs = site.apply(new, parallelism)
    late = find_reach(find_hurried(find_replaced(steps), old), needs)
    changed = set()
    for verb, name, before, _ in steps:
        if verb == "delete" and name not in needs:
            users = {user for user, wants in needed.items() if name in wants}
            standing = users & set(list_names(before))
            assert standing <= set(needs), f"{name} went before who goes as well"
            linked = {user for user in standing - late if user.startswith("Thing/")}
            assert linked <= changed, f"{name} went before {linked - changed}"
        changed.add(name)


@many
@given(sites(), sites(), st.sampled_from([1, 3]))
def test_a_replacement_leaves_no_gap_where_none_need_be(old, new, parallelism):
    """A slot is whole at any time of its replacement, a thing is never there twice."""
    site = Site()
    site.apply(old)
    steps, *_ = site.apply(new, parallelism)
    replaced = find_replaced(steps)
    hurried = find_hurried(replaced, old)
    for _, name, before, after in steps:
        if name.startswith("Slot/") and name in replaced - hurried:
            assert list_names(before)[name]
            assert list_names(after)[name]
        if name.startswith("Thing/") and parallelism == 1:
            assert list_names(before)[name] <= 1
            assert list_names(after)[name] <= 1


def find_replaced(steps):
    """Return what was there, and was made anew."""
    verbs = {verb: {name for each, name, *_ in steps if each == verb} for verb, *_ in steps}
    return verbs.get("delete", set()) & verbs.get("create", set())


def find_hurried(replaced, manifests):
    """Return what of *replaced* went first: things, and what stood on them."""
    needs = {f"{each['kind']}/{each['name']}": each["needs"] for each in manifests}
    return find_reach({name for name in replaced if name.startswith("Thing/")}, needs) & replaced


def find_reach(names, needs):
    """Return *names* and all who need one of them, directly or not."""
    found = set(names)
    while more := {name for name, wants in needs.items() if found & set(wants)} - found:
        found |= more
    return found


@many
@given(sites(), st.permutations(NAMES), st.sampled_from([1, 3]), st.data())
def test_a_move_never_deletes(old, names, parallelism, data):
    """What says what it was keeps its place in the world, its attributes, and its id there."""
    site = Site()
    site.apply(old)
    before = look(site)
    chosen = [each for each in old if data.draw(st.booleans())]
    renamed = {
        f"{each['kind']}/{each['name']}": f"{each['kind']}/new-{name}"
        for each, name in zip(chosen, names, strict=False)
    }
    new = [
        {
            **each,
            "name": renamed[here].partition("/")[2] if here in renamed else each["name"],
            "needs": [renamed.get(need, need) for need in each["needs"]],
            "moved": here if here in renamed else None,
        }
        for each in old
        for here in [f"{each['kind']}/{each['name']}"]
    ]
    steps, *_ = site.apply(data.draw(st.permutations(new)), parallelism)
    assert {verb for verb, *_ in steps} <= {"update"}
    after = look(site)
    assert sorted(after) == sorted(renamed.get(name, name) for name in before)
    for name, item in before.items():
        assert after[renamed.get(name, name)].id == item.id
    assert site.box.reconcile(site.box.commits.commit(*map(build, new))).run is None

"""What a provider plans by itself: it feeds references, replaces, and may not contradict."""

import msgspec
import pytest
from sandboxes import Sandbox, build_resource

from provisioning.core.expressions.interpolation import Reference
from provisioning.core.expressions.references import compute_known_values
from provisioning.core.model.errors import ProviderError
from provisioning.core.model.providers import PlannedValues, PlanningRequest
from provisioning.core.model.sensitive import Secret
from provisioning.core.model.values import Unknown, has_unknown
from provisioning.core.plan.diff import compute_diff
from provisioning.core.plan.provider_plans.planned_values import ask_provider, mark_replacing
from provisioning.providers.instance import ProviderInstance
from provisioning.reconciler.execution.provider_calls import plan_by_provider
from provisioning.testing.memory import MemoryProvider
from provisioning.testing.memory_kinds import MACHINE, THING
from provisioning.testing.planning_provider import PlanningMemoryProvider
from provisioning.testing.worlds import World

KEY = b"k" * 32
VALUE = "hunter2-hunter2"


def build(spec, live=None, kind="Thing"):
    return PlanningRequest(id=f"{kind}/a", kind=kind, provider="memory", spec=spec, live=live)


def ask(attributes, spec, replaces=(), kind=THING):
    answer = PlannedValues(attributes=attributes, replaces=replaces)
    return ask_provider(lambda _: answer, build(spec, kind=kind.name), kind, KEY)


@pytest.mark.parametrize(
    ("spec", "attributes"),
    [
        ({"size": 1}, {"size": 1, "serial": Unknown("x"), "color": "red"}),
        ({"size": 1}, {"serial": "s"}),
        ({"link": Unknown("a")}, {"link": Unknown("b")}),
        ({"tags": ["a", "b"]}, {"tags": ["b", "a"]}),
        ({"password": Secret(VALUE)}, {"password": VALUE}),
        ({"size": 1, "settings": {"a": Unknown("a")}}, {"settings": {"a": Unknown("")}}),
    ],
)
def test_what_agrees_with_the_spec_is_taken(spec, attributes):
    assert ask(attributes, spec).attributes == attributes


@pytest.mark.parametrize(
    ("spec", "attributes", "field"),
    [
        ({"size": 1}, {"size": 2}, "size"),
        ({"size": 1}, {"size": Unknown("x")}, "size"),
        ({"link": Unknown("a")}, {"link": "known"}, "link"),
        ({"settings": {"a": 1}}, {"settings": {"a": 1, "b": 2}}, "settings.b"),
        ({"password": VALUE}, {"password": "other"}, "password"),
        ({"color": "red"}, {"color": "blue"}, "color"),
    ],
)
def test_what_contradicts_the_spec_is_blamed_with_provider_and_field(spec, attributes, field):
    with pytest.raises(ProviderError, match=rf"'memory' plans another {field} .*Thing/a") as caught:
        ask(attributes, spec)
    assert VALUE not in str(caught.value)


def test_a_computed_field_below_is_no_contradiction():
    spec = {"disk": {"size": 1}, "rules": [{"name": "a"}]}
    planned = {"disk": {"size": 1, "id": "d", "speed": 3}, "rules": [{"name": "a", "id": "i"}]}
    assert ask(planned, spec, kind=MACHINE)


def test_a_path_that_is_none_is_blamed():
    with pytest.raises(ProviderError, match="'memory' plans a replacement"):
        ask({}, {}, replaces=["a["])


def test_a_provider_is_shown_secrets_and_its_errors_tell_none():
    seen = []

    def refuse(request):
        seen.append(request.spec)
        raise ProviderError(f"no such password: {request.spec} {request.live}")

    request = build({"password": Secret(VALUE)}, {"password": "the-old-password"})
    with pytest.raises(ProviderError) as caught:
        ask_provider(refuse, request, THING, KEY)
    assert seen == [{"password": VALUE}]
    assert VALUE not in caught.value.message
    assert "the-old-password" not in caught.value.message


def get(values, path):
    return values.get(tuple(path.split(".")), Reference("resources", ("Machine/a", path)), None)


def test_planned_values_are_what_references_give():
    spec = {"disk": {"size": 2}, "rules": [{"name": "a", "token": VALUE}]}
    planned = {
        "serial": "s-1",
        "disk": {"size": 2, "id": Unknown("whatever"), "speed": 7},
        "rules": [{"name": "a", "id": "r-1", "token": VALUE}],
    }
    known = compute_known_values("Machine/a", MACHINE, spec, None, frozenset(), planned=planned)
    assert get(known, "serial") == "s-1"
    assert get(known, "disk.speed") == 7
    assert get(known, "disk.id") == Unknown("resources.Machine/a.disk.id")
    assert get(known, "rules.0.id") == "r-1"
    assert isinstance(get(known, "rules.0.token"), Secret)
    assert isinstance(get(known, "auth"), Unknown)


def test_only_what_changes_is_replaced():
    old = {"size": 3, "link": 1}
    fields = compute_diff(THING, {"size": 2, "link": 2}, old, old, KEY)
    marked = mark_replacing(fields, ["size", "zone"])
    assert [(it.path, it.replaces) for it in marked] == [("size", True), ("link", False)]


# The whole engine with a provider that plans


def sandbox(tmp_path, provider=PlanningMemoryProvider):
    world = World()
    return Sandbox(tmp_path, world=world, provider=provider(world))


def reconcile(box, *resources):
    commit = box.commits.commit(*resources)
    plan = box.look(commit).plan
    box.reconcile(commit)
    return plan


def note(path):
    return build_resource("Note/n", {"input": f"{{{{resources.Thing/a.{path}}}}}"})


def test_a_dependant_is_planned_with_what_its_need_will_be(tmp_path):
    """The engine alone takes the colour of what is new as unknown."""
    box = sandbox(tmp_path)
    plan = reconcile(box, build_resource("Thing/a", {"size": 1}), note("color"))
    (change,) = [it for it in plan.changes if it.id == "Note/n"]
    assert [field.after for field in change.fields] == ["grey"]
    plan = reconcile(box, build_resource("Thing/a", {"size": 1}), note("serial"))
    assert not any(has_unknown(it.after) for change in plan.changes for it in change.fields)


def test_a_path_that_forces_a_replacement_replaces(tmp_path):
    box = sandbox(tmp_path)
    reconcile(box, build_resource("Thing/a", {"size": 2}))
    plan = reconcile(box, build_resource("Thing/a", {"size": 1}))
    (change,) = plan.changes
    assert str(change.action) == "replace"
    assert change.reason == "the manifest changed, and size cannot be changed in place"
    plan = reconcile(box, build_resource("Thing/a", {"size": 3}))
    assert [str(it.action) for it in plan.changes] == ["update"]
    assert box.world.calls["plan"]
    before = box.world.calls["plan"]
    reconcile(box, build_resource("Thing/a", {"size": 3}))
    assert box.world.calls["plan"] == before


class Failing(PlanningMemoryProvider):
    def plan(self, request):
        if request.id == "Thing/a":
            raise ValueError("no quota")
        return super().plan(request)


class Contrary(PlanningMemoryProvider):
    def plan(self, request):
        planned = super().plan(request)
        if request.id != "Thing/a":
            return planned
        return msgspec.structs.replace(planned, attributes={**planned.attributes, "size": 99})


@pytest.mark.parametrize(
    ("provider", "told"),
    [
        (Failing, "provider 'memory' raised ValueError: no quota"),
        (Contrary, "provider 'memory' plans another size than is desired"),
    ],
)
def test_what_cannot_be_planned_is_blocked_with_its_dependants_and_nothing_else(
    tmp_path, provider, told
):
    box = sandbox(tmp_path, provider)
    plan = reconcile(
        box,
        build_resource("Thing/a", {"size": 1}),
        build_resource("Thing/b", {"size": 1}),
        note("serial"),
    )
    assert [it.id for it in plan.changes] == ["Thing/b"]
    blocked = {it.id: it.reason for it in plan.blocked}
    assert told in blocked["Thing/a"]
    assert blocked["Note/n"] == "it depends on Thing/a, which is blocked"


@pytest.mark.parametrize(
    "answer",
    [
        "text",
        PlannedValues(attributes=[1]),
        PlannedValues(attributes={"size": object()}),
        PlannedValues(attributes={}, replaces="size"),
        PlannedValues(attributes={}, replaces=[1]),
    ],
)
def test_an_answer_that_is_no_plan_is_blamed_by_name(answer):
    class Strange(PlanningMemoryProvider):
        def plan(self, request):
            return answer

    with pytest.raises(ProviderError, match="provider 'memory' planned"):
        plan_by_provider({"memory": Strange(World())})(build({}))


def test_an_instance_plans_where_the_resource_is_and_hides_its_location():
    asked = []

    class Noting(PlanningMemoryProvider):
        def __init__(self, region):
            super().__init__(World())
            self.region = region

        def plan(self, request):
            asked.append((self.region, request))
            return super().plan(request)

    instance = ProviderInstance("cloud", [THING], {"region": "eu"}, lambda it: Noting(it["region"]))
    here, there = {"@location": {"region": "eu"}}, {"@location": {"region": "us"}}
    ask = plan_by_provider({"cloud": instance})
    request = PlanningRequest(
        id="Thing/a", kind="Thing", provider="cloud", spec={"size": 1, **here}
    )
    planned = ask(request)
    assert planned.attributes["@location"] == {"region": "eu"}
    ask(
        msgspec.structs.replace(
            request, live={"size": 2, **there}, recorded_spec=there, recorded_attributes=there
        )
    )
    assert [region for region, _ in asked] == ["eu", "us"]
    assert not any("@location" in repr(it) for _, it in asked)


def test_an_instance_of_a_provider_that_does_not_plan_leaves_it_to_the_engine():
    instance = ProviderInstance("memory", [THING], {}, lambda _: MemoryProvider(World()))
    assert plan_by_provider({"memory": instance})(build({})) is None
    assert plan_by_provider({"memory": MemoryProvider(World())})(build({})) is None
    assert plan_by_provider({})(build({})) is None

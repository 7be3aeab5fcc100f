"""What a resource's lifecycle says is kept by whole runs."""

import pytest
from sandboxes import Sandbox, build_resource

from provisioning.core.manifests.compilation import compile_manifest
from provisioning.core.model.errors import InvalidManifest, InvalidWorkspace
from provisioning.core.model.resources import DeletePolicy, DriftPolicy, Lifecycle, Timeouts
from provisioning.testing.memory_kinds import KINDS

THING = "Thing/a"


@pytest.fixture
def box(tmp_path):
    return Sandbox(tmp_path)


def build(lifecycle, **spec):
    return build_resource(THING, spec, lifecycle=lifecycle)


def get(box):
    (live,) = box.world.snapshot().values()
    return live


IGNORE = Lifecycle(ignore_fields=("size", "tags"))


def test_an_ignored_field_is_made_as_asked_and_then_left_to_others(box):
    """Neither a change by hand nor one of the manifest is a change to it."""
    box.reconcile(box.commits.commit(build(IGNORE, size=1, zone="x")))
    assert get(box).attributes["size"] == 1
    box.world.change(get(box).id, {"size": 7})
    assert box.reconcile(box.commits.commit(build(IGNORE, size=1, zone="x"))).run is None
    assert box.reconcile(box.commits.commit(build(IGNORE, size=2, zone="x"))).run is None
    assert get(box).attributes["size"] == 7


def test_an_update_of_another_field_leaves_an_ignored_one(box):
    """The call carries what is live, so that no provider puts it back."""
    box.reconcile(box.commits.commit(build(IGNORE, size=1, tags=["a"], password="one")))
    box.world.change(get(box).id, {"size": 7, "tags": ["by hand"]})
    commit = box.commits.commit(build(IGNORE, size=1, tags=["a"], password="two"))
    (change,) = box.look(commit).plan.changes
    assert [each.path for each in change.fields] == ["password"]
    box.reconcile(commit)
    assert (get(box).attributes["size"], get(box).attributes["tags"]) == (7, ["by hand"])
    assert get(box).attributes["password"] == "two"
    assert box.reconcile(commit).run is None


def test_an_ignored_field_is_no_detected_drift(box):
    """What is somebody else's has not drifted."""
    lifecycle = Lifecycle(ignore_fields=("size",), drift=DriftPolicy.DETECT)
    box.reconcile(box.commits.commit(build(lifecycle, size=1)))
    box.world.change(get(box).id, {"size": 7})
    assert box.look(box.commits.commit(build(lifecycle, size=1))).plan.drifted == ()


@pytest.mark.parametrize("order", [None, True, False])
def test_the_old_goes_first_where_the_resource_says_so(box, monkeypatch, order):
    """A kind whose new one may stand beside the old makes it first, unless told otherwise."""
    made = []
    for name in ("create", "delete"):
        method = getattr(box.provider, name)
        monkeypatch.setattr(
            box.provider,
            name,
            lambda call, name=name, method=method: (made.append(name), method(call))[1],
        )
    lifecycle = Lifecycle(create_before_delete=order)
    for place in ("p1", "p2"):
        slot = build_resource("Slot/s", {"place": place, "value": "v"}, lifecycle=lifecycle)
        box.reconcile(box.commits.commit(slot))
    assert made[1:] == (["delete", "create"] if order is False else ["create", "delete"])


TIMES = [("create", 11.0), ("update", 12.0), ("delete", 13.0)]


@pytest.mark.parametrize(("step", "expected"), TIMES)
def test_each_call_gets_its_own_time(box, monkeypatch, step, expected):
    """What the manifest says, and what was recorded for a deletion."""
    deadlines = {}
    for name in ("create", "update", "delete"):
        method = getattr(box.provider, name)

        def note(call, name=name, method=method):
            if call.id == THING:
                deadlines[name] = call.deadline
            return method(call)

        monkeypatch.setattr(box.provider, name, note)
    lifecycle = Lifecycle(timeouts=Timeouts(create=11.0, update=12.0, delete=13.0))
    box.reconcile(box.commits.commit(build(lifecycle, size=1), build_resource("Thing/b")))
    box.reconcile(box.commits.commit(build(lifecycle, size=2), build_resource("Thing/b")))
    box.reconcile(box.commits.commit(build_resource("Thing/b")))
    assert deadlines[step] == expected


def test_a_call_without_a_time_of_its_own_gets_the_setting_s(box, monkeypatch):
    """`executor.timeout` is the default."""
    deadlines = []
    create = box.provider.create
    monkeypatch.setattr(
        box.provider, "create", lambda call: (deadlines.append(call.deadline), create(call))[1]
    )
    box.reconcile(box.commits.commit(build(Lifecycle(), size=1)))
    assert deadlines == [box.build_reconciler().context.settings.timeout]


# Reading


def compile_with(lifecycle, kind="Thing"):
    text = (
        f"apiVersion: provisioning/v1\nkind: {kind}\nmetadata: {{name: a}}\n"
        f"spec: {{}}\nlifecycle: {lifecycle}\n"
    )
    if kind == "Slot":
        text = text.replace("spec: {}", "spec: {place: p, value: v}")
    (resource,) = compile_manifest(text.encode(), "infra/web/a.yaml", KINDS)
    return resource.lifecycle


def test_everything_a_lifecycle_may_say():
    """Paths are written with or without `.spec.`."""
    read = compile_with(
        "{ignoreFields: [size, .spec.tags], timeouts: {create: 90s, update: 2m, delete: 1h}, "
        "createBeforeDelete: false}"
    )
    assert read == Lifecycle(
        ignore_fields=("size", "tags"),
        create_before_delete=False,
        timeouts=Timeouts(create=90.0, update=120.0, delete=3600.0),
    )


@pytest.mark.parametrize(
    ("kind", "lifecycle", "told"),
    [
        ("Thing", "{ignoreFields: size}", "must be a list, not text"),
        ("Thing", "{ignoreFields: [1]}", "must be text, not a whole number"),
        ("Thing", "{ignoreFields: [siez]}", "there is no field 'siez'"),
        ("Thing", "{ignoreFields: ['a..b']}", "is not the path of a field"),
        ("Slot", "{ignoreFields: [place]}", "says where the resource is"),
        ("Thing", "{createBeforeDelete: true}", "cannot stand beside the one that replaces it"),
        ("Thing", "{createBeforeDelete: 1}", "must be true or false"),
        ("Thing", "{timeouts: {create: soon}}", "is no duration"),
        ("Thing", "{timeouts: {create: 0s}}", "is no duration"),
        ("Thing", "{timeouts: {make: 1s}}", "there is no such key"),
        ("Thing", "{timeouts: 5m}", "must be a map"),
        ("Thing", "{protect: yes please}", "must be true or false"),
    ],
)
def test_what_a_lifecycle_may_not_say(kind, lifecycle, told):
    """Each slip has its message, with file and line."""
    with pytest.raises((InvalidManifest, InvalidWorkspace)) as caught:
        compile_with(lifecycle, kind)
    problem = getattr(caught.value, "problems", [caught.value])[0]
    assert told in problem.message
    assert problem.source.file == "infra/web/a.yaml"


def test_what_is_to_be_retained_is_recorded_by_itself(box):
    """P4: a manifest that changes nothing else still keeps what it says when it is gone."""
    box.reconcile(box.commits.commit(build(Lifecycle(), size=1), build_resource("Thing/b")))
    retained = build(Lifecycle(on_delete=DeletePolicy.RETAIN), size=1)
    calls = dict(box.world.calls)
    report = box.reconcile(box.commits.commit(retained, build_resource("Thing/b")))
    assert [(each.id, each.outcome) for each in report.run.changes] == [(THING, "adopted")]
    assert box.world.calls["update"] == calls.get("update", 0)
    report = box.reconcile(box.commits.commit(build_resource("Thing/b")))
    assert [(each.id, each.outcome) for each in report.run.changes] == [(THING, "forgotten")]
    assert len(box.world.snapshot()) == 2


@pytest.mark.parametrize("policy", [DriftPolicy.DETECT, DriftPolicy.PR, DriftPolicy.CORRECT])
def test_drift_that_a_manifest_accepted_is_drift_no_more(box, policy):
    """It is recorded as asked for, once; the next change by hand is drift again."""
    lifecycle = Lifecycle(drift=policy)
    box.reconcile(box.commits.commit(build(lifecycle, size=1)))
    box.world.change(get(box).id, {"size": 2})
    accepted = box.commits.commit(build(lifecycle, size=2))
    report = box.reconcile(accepted)
    assert [(each.id, each.outcome) for each in report.run.changes] == [(THING, "adopted")]
    assert box.reconcile(accepted).run is None
    box.world.change(get(box).id, {"size": 3})
    plan = box.look(accepted).plan
    if policy is DriftPolicy.CORRECT:
        assert [each.reason for each in plan.changes] == ["it was changed outside of Git"]
    else:
        assert (plan.changes, [each.id for each in plan.drifted]) == ((), [THING])


def test_what_depends_on_what_is_recorded_as_git_has_it(box):
    """Or things would be deleted in an order that nobody asks for any more."""
    first, second = build_resource(THING), build_resource("Thing/b")
    box.reconcile(box.commits.commit(first, second))
    after = build_resource("Thing/b", depends_on=[THING])
    box.reconcile(box.commits.commit(first, after))
    assert box.read_records()["Thing/b"].depends_on == (THING,)
    assert box.reconcile(box.commits.commit(first, after)).run is None

"""What is planned for one resource, as a table of what is desired, recorded and live."""

import msgspec
import pytest
from msgspec.structs import replace
from sandboxes import build_resource

from provisioning.core.manifests.desired_state import compute_desired
from provisioning.core.model.errors import Source
from provisioning.core.model.ids import CommitId, Mark, ResourceId, RunId
from provisioning.core.model.providers import Absent, Present, Unreadable
from provisioning.core.model.records import Action, Record
from provisioning.core.model.resources import DeletePolicy, DriftPolicy, Lifecycle
from provisioning.core.model.sensitive import Secret
from provisioning.core.model.states import LiveState, RecordedState
from provisioning.core.model.values import compute_fingerprint
from provisioning.core.plan.compute import compute_plan
from provisioning.core.plan.diff import Cause
from provisioning.core.plan.plan import Risk
from provisioning.testing.memory_kinds import KINDS

RUN = RunId("1-000000")
SIZE = {"size": 1, "zone": "x"}
IGNORED = Lifecycle(drift=DriftPolicy.IGNORE)
DETECTED = Lifecycle(drift=DriftPolicy.DETECT)
RETAINED = Lifecycle(on_delete=DeletePolicy.RETAIN)
HIDDEN = Unreadable("403")


def thing(name="a", spec=SIZE, *, needs=(), **more):
    return build_resource(f"Thing/{name}", spec, depends_on=needs, **more)


def record(name="a", spec=SIZE, kind="Thing", **more):
    return Record(
        id=ResourceId(f"{kind}/{name}"),
        kind=kind,
        provider="memory",
        spec=dict(spec),
        attributes={**spec, "serial": f"s-{name}"},
        run=RUN,
        operation=1,
        source=Source("old.yaml", 3),
        **more,
    )


def mark(name="a", kind="Thing", owner="ws/web"):
    return Mark(f"{owner}/{kind}/{name}", RUN, 1)


def there(name="a", spec=SIZE, kind="Thing", **more):
    return Present({**spec, "serial": f"s-{name}", **more}, mark(name, kind))


def compute(
    desired=(),
    recorded=(),
    live=None,
    *,
    elsewhere=None,
    leftovers=None,
    unfinished=(),
    secret=0,
):
    kinds = {**KINDS, "Disk": replace(KINDS["Thing"], name="Disk", stateful=True)}
    return compute_plan(
        compute_desired("web", CommitId("c" * 40), desired, kinds, lambda *_: secret),
        RecordedState(
            head=None, records={each.id: each for each in recorded}, unfinished=tuple(unfinished)
        ),
        LiveState(current=live or {}, elsewhere=elsewhere or {}, leftovers=leftovers or {}),
        kinds=kinds,
        workspace="ws",
        key=b"k",
    )


A = "Thing/a"
FOREIGN = Present(SIZE, None)
OTHERS = Present(SIZE, Mark("ws/other/Thing/a", RUN, 1))
CHANGED = {"size": 2, "zone": "x"}
MOVED = {"size": 1, "zone": "y"}

CHANGES = {
    "new": (thing(), None, Absent(), Action.CREATE, "it is new"),
    "gone": (thing(), record(), Absent(), Action.CREATE, "it is gone"),
    "another size": (thing(), record(spec=CHANGED), there(), Action.UPDATE, None),
    "asked for": (
        thing(spec=CHANGED),
        record(),
        there(),
        Action.UPDATE,
        "the manifest changed",
    ),
    "drifted": (
        thing(),
        record(),
        there(spec=CHANGED),
        Action.UPDATE,
        "it was changed outside of Git",
    ),
    "drifted and asked for": (
        thing(spec={**SIZE, "color": "red"}),
        record(),
        there(spec=CHANGED),
        Action.UPDATE,
        "the manifest changed",
    ),
    "made by a run that was cut off": (
        thing(),
        None,
        there(),
        Action.ADOPT,
        "it was made by a run that was cut off",
    ),
    "littered": (
        thing(),
        record(),
        there(leftover=True),
        Action.UPDATE,
        "a run that was cut off left something unfinished beside it",
    ),
    "not finished": (
        thing(),
        record(error="no room"),
        there(),
        Action.UPDATE,
        "the last run did not finish it: no room",
    ),
    "without its mark": (
        thing(),
        record(),
        Present(there().attributes, None),
        Action.UPDATE,
        "its ownership mark is gone",
    ),
    "in another zone": (
        thing(spec=MOVED),
        record(),
        there(),
        Action.REPLACE,
        "the manifest changed, and zone cannot be changed in place",
    ),
    "moved to another zone by hand": (
        thing(),
        record(),
        there(spec=MOVED),
        Action.REPLACE,
        "it was changed outside of Git, and zone cannot be changed in place",
    ),
}


@pytest.mark.parametrize(
    ("desired", "recorded", "live", "action", "reason"), CHANGES.values(), ids=CHANGES
)
def test_what_is_done_and_why(desired, recorded, live, action, reason):
    """One row, one change, and one sentence that says why."""
    if reason is None:
        live = there(spec=CHANGED)
        reason = "the manifest changed"
    plan = compute([desired], [recorded] if recorded else [], {A: live})
    (change,) = plan.changes
    assert (change.id, change.action, change.reason) == (A, action, reason)
    assert change.record == recorded
    assert change.live == (None if action is Action.CREATE else live)
    assert change.resource.id == A
    assert plan.unchanged == plan.blocked == plan.drifted == ()
    assert change.moved_from is None


@pytest.mark.parametrize(
    ("lifecycle", "live", "is_drifted"),
    [
        (DETECTED, there(spec=CHANGED), True),
        (IGNORED, there(spec=CHANGED), False),
        (DETECTED, there(), False),
        (IGNORED, Present(there().attributes, None), False),
        (DETECTED, Absent(), True),
        (IGNORED, Absent(), False),
    ],
)
def test_drift_that_is_not_corrected_is_no_change(lifecycle, live, is_drifted):
    """It is told if it is to be detected, and left alone."""
    plan = compute([thing(lifecycle=lifecycle)], [record(lifecycle=lifecycle)], {A: live})
    assert plan.changes == ()
    assert [each.id for each in plan.drifted] == [A] * is_drifted
    assert plan.unchanged == (() if isinstance(live, Absent) else (A,))
    if is_drifted:
        (field,) = plan.drifted[0].fields
        assert field.cause is Cause.DRIFT


def test_what_was_never_applied_is_made_whatever_becomes_of_its_drift():
    """There is no drift before there was anything."""
    plan = compute([thing(lifecycle=IGNORED)], [], {A: Absent()})
    assert [each.action for each in plan.changes] == [Action.CREATE]


def test_what_the_manifest_asks_for_is_done_though_drift_is_ignored():
    """Only the part that the world changed is left alone."""
    spec = {"size": 1, "tags": [1]}
    desired = thing(spec={"size": 1, "tags": [2]}, lifecycle=IGNORED)
    plan = compute([desired], [record(spec=spec)], {A: there(spec={"size": 7, "tags": [1]})})
    (change,) = plan.changes
    assert [each.path for each in change.fields] == ["tags"]


def test_a_secret_under_another_key_is_not_recorded_anew():
    """Two machines that fingerprint by keys of their own do not take turns."""
    desired, live = thing(spec={"password": "hunter2"}), there(spec={"password": "hunter2"})
    kept = record(spec={"password": compute_fingerprint("hunter2", b"another machine's")})
    assert compute([desired], [kept], {A: live}).unchanged == (A,)


BLOCKED = {
    "unreadable": (record(), HIDDEN, {}, "it cannot be read: 403"),
    "not looked at": (record(), None, {}, "it cannot be read: nobody looked at it"),
    "not ours": (None, FOREIGN, {}, "what stands in its place was not made by us"),
    "another's": (
        record(),
        OTHERS,
        {},
        "what stands in its place is Thing/a of the infra other",
    ),
    "another's at first": (
        None,
        OTHERS,
        {},
        "what stands in its place is Thing/a of the infra other",
    ),
}


@pytest.mark.parametrize(("recorded", "live", "elsewhere", "reason"), BLOCKED.values(), ids=BLOCKED)
def test_what_must_not_be_touched_is_blocked(recorded, live, elsewhere, reason):
    """P4, P5: with the reason, and what depends on it is blocked with it."""
    user = thing("user", needs=[A])
    answers = {A: live, user.id: Absent()} if live else {user.id: Absent()}
    plan = compute([thing(), user], [recorded] if recorded else [], answers, elsewhere=elsewhere)
    assert plan.changes == plan.unchanged == ()
    assert [(each.id, each.reason) for each in plan.blocked] == [
        (A, reason),
        (user.id, f"it depends on {A}, which is blocked"),
    ]
    assert all(each.source == thing().source for each in plan.blocked)


@pytest.mark.parametrize(
    ("new_place", "told"),
    [
        (HIDDEN, "its new place cannot be read: 403"),
        (FOREIGN, "what stands in its place was not made by us"),
        (there(), None),
        (Absent(), None),
    ],
)
def test_a_replacement_goes_where_nothing_foreign_is(new_place, told):
    """P4, P5: the new place is looked at, too; what is ours there is taken over."""
    plan = compute([thing(spec=MOVED)], [record()], {A: there()}, elsewhere={A: new_place})
    assert [each.reason for each in plan.blocked] == [told] * (told is not None)
    assert [each.action for each in plan.changes] == [Action.REPLACE] * (told is None)


@pytest.mark.parametrize(
    ("kind", "spec", "other", "risk", "old_first"),
    [
        ("Thing", SIZE, MOVED, Risk.DISRUPTIVE, True),
        ("Disk", SIZE, MOVED, Risk.DESTRUCTIVE, True),
        ("Slot", {"place": "p"}, {"place": "q"}, Risk.DISRUPTIVE, False),
    ],
)
def test_what_a_replacement_risks_and_what_goes_first(kind, spec, other, risk, old_first):
    """As the kind says: data is lost, or there is a gap, or there is none."""
    name = f"{kind}/a"
    plan = compute(
        [build_resource(name, other)],
        [record(spec=spec, kind=kind)],
        {name: there(spec=spec, kind=kind)},
    )
    (change,) = plan.changes
    assert (change.action, change.risk, change.old_first) == (Action.REPLACE, risk, old_first)


def test_a_note_needs_no_mark():
    """What lives in the state log alone bears none, and nobody else can have it."""
    note = build_resource("Note/n", {"input": 1})
    kept = msgspec.structs.replace(record("n", {"input": 1}, "Note"), attributes={"output": 1})
    plan = compute([note], [kept], {"Note/n": Present({"output": 1}, None)})
    assert plan.unchanged == ("Note/n",)
    assert plan.known_values["Note/n"] == {"input": 1, "output": 1}
    plan = compute([], [kept], {"Note/n": Present({"output": 1}, None)})
    assert [(each.action, each.risk) for each in plan.changes] == [(Action.DELETE, Risk.SAFE)]


# Moves

NEW = thing("b", moved_from=ResourceId(A))


@pytest.mark.parametrize(
    ("live", "elsewhere", "action"),
    [
        (there("a"), {}, Action.UPDATE),
        (there("b"), {}, Action.UPDATE),
        (Absent(), {"Thing/b": there("b")}, Action.UPDATE),
        (Absent(), {}, Action.CREATE),
    ],
)
def test_a_move_takes_over_what_was_recorded(live, elsewhere, action):
    """Whatever mark a cut-off move left it with; only what is gone is made anew."""
    plan = compute([NEW], [record()], {"Thing/b": live}, elsewhere=elsewhere)
    (change,) = plan.changes
    assert (change.id, change.action, change.moved_from) == ("Thing/b", action, A)
    assert change.reason == ("it is gone" if action is Action.CREATE else "it was Thing/a")


def test_a_move_that_was_made_is_history():
    """The record of the new id counts, and what the old one bears is another's."""
    plan = compute([NEW], [record("b")], {"Thing/b": there("b")})
    assert plan.unchanged == ("Thing/b",)
    plan = compute([NEW], [record("b")], {"Thing/b": there("a")})
    (change,) = plan.changes
    assert (change.action, change.moved_from) == (Action.UPDATE, A)
    plan = compute([thing("b")], [record("b")], {"Thing/b": there("a")})
    assert [each.id for each in plan.blocked] == ["Thing/b"]


def test_what_a_cut_off_move_left_is_found_when_the_move_is_taken_back():
    """The old id is desired again, and the world has the new one's mark."""
    begun = record("b", moved_from=ResourceId(A), error="the run was cut off")
    plan = compute(
        [thing()],
        [record()],
        {A: Absent(), "Thing/b": there("b")},
        elsewhere={A: there("b")},
        unfinished=[begun],
    )
    (change,) = plan.changes
    assert (change.id, change.action, change.moved_from) == (A, Action.UPDATE, "Thing/b")


def test_a_rename_that_nobody_declared_destroys_nothing():
    """What is to go may be what is to come: both wait until somebody says which it is."""
    plan = compute([thing("b")], [record()], {A: there(), "Thing/b": there()})
    assert plan.changes == ()
    assert [(each.id, each.reason) for each in plan.blocked] == [
        (A, "Thing/b is to be in its place"),
        ("Thing/b", "what stands in its place is Thing/a, which is no longer desired"),
    ]
    assert all("`moved: {from: Thing/a}`" in each.hint for each in plan.blocked)


def test_what_has_another_s_place_is_told_whose_it_is():
    """Two that are both desired keep what they have."""
    plan = compute([thing(), thing("b")], [record()], {A: there(), "Thing/b": there()})
    assert plan.unchanged == (A,)
    assert [(each.id, each.reason) for each in plan.blocked] == [
        ("Thing/b", "what stands in its place is Thing/a")
    ]


# Removals

REMOVALS = {
    "ours": (record(), there(), Action.DELETE, "it is no longer desired", None),
    "gone": (record(), Absent(), Action.FORGET, "it is no longer desired, and already gone", None),
    "not ours": (
        record(),
        OTHERS,
        Action.FORGET,
        "it is no longer desired",
        "it is left where it is, because it does not bear our mark",
    ),
    "without a mark": (
        record(),
        FOREIGN,
        Action.FORGET,
        "it is no longer desired",
        "it is left where it is, because it does not bear our mark",
    ),
    "retained": (
        record(lifecycle=RETAINED),
        there(),
        Action.FORGET,
        "it is no longer desired, and is to be retained",
        None,
    ),
}


@pytest.mark.parametrize(
    ("recorded", "live", "action", "reason", "warning"), REMOVALS.values(), ids=REMOVALS
)
def test_what_is_no_longer_desired(recorded, live, action, reason, warning):
    """P4: only what bears our mark is deleted; the rest is forgotten."""
    (change,) = compute([], [recorded], {A: live}).changes
    assert (change.action, change.reason, change.warning) == (action, reason, warning)
    assert change.risk is (Risk.DESTRUCTIVE if action is Action.DELETE else Risk.SAFE)
    assert change.live == (live if action is Action.DELETE else None)
    assert (change.record, change.source, change.leftover) == (recorded, recorded.source, 0)


@pytest.mark.parametrize(
    ("live", "action"), [(there(), Action.DELETE), (Absent(), None), (FOREIGN, None)]
)
def test_what_a_cut_off_run_began_goes_if_it_is_there_and_ours(live, action):
    """Nothing proves the rest, and so nothing is said of it."""
    plan = compute([], [], {A: live}, unfinished=[record(error="the run was cut off")])
    assert [each.action for each in plan.changes] == [action] * (action is not None)
    assert all(each.reason == "a run that was cut off made it" for each in plan.changes)
    assert plan.blocked == ()


@pytest.mark.parametrize(
    ("recorded", "live", "reason"),
    [
        (record(), HIDDEN, "it cannot be read: 403"),
        (record(), None, "it cannot be read: nobody looked at it"),
        (
            msgspec.structs.replace(record(), kind="Gone"),
            there(),
            "no provider 'memory' serves the kind Gone",
        ),
        (
            msgspec.structs.replace(record(), provider="cloud"),
            there(),
            "no provider 'cloud' serves the kind Thing",
        ),
    ],
)
def test_what_cannot_be_removed_now_is_blocked(recorded, live, reason):
    """P5: and stays recorded."""
    plan = compute([], [recorded], {A: live} if live else {})
    assert plan.changes == ()
    assert [(each.reason, each.source) for each in plan.blocked] == [(reason, recorded.source)]


def test_what_something_blocked_was_built_on_is_kept():
    """Whatever stands below it, as deep as it goes; what stands beside it goes."""
    records = [
        record("top", depends_on=(ResourceId("Thing/mid"),)),
        record("mid", depends_on=(ResourceId("Thing/low"),)),
        record("low"),
        record("beside"),
    ]
    live = {f"Thing/{name}": there(name) for name in ("mid", "low", "beside")}
    plan = compute([], records, {**live, "Thing/top": HIDDEN})
    assert [each.id for each in plan.changes] == ["Thing/beside"]
    assert {each.id: each.reason for each in plan.blocked} == {
        "Thing/top": "it cannot be read: 403",
        "Thing/mid": "Thing/top was built on it, and is blocked",
        "Thing/low": "Thing/mid was built on it, and is blocked",
    }
    plan = compute([], records, {**live, "Thing/top": HIDDEN, "Thing/low": Absent()})
    assert ("Thing/low", Action.FORGET) in [(each.id, each.action) for each in plan.changes]


@pytest.mark.parametrize(
    ("seen", "current", "is_cleaned"),
    [
        (there(), there(), True),
        (FOREIGN, there(), False),
        (Absent(), there(), False),
        (there(), HIDDEN, False),
    ],
)
def test_what_a_cut_off_run_left_beside_the_resource_goes(seen, current, is_cleaned):
    """P2: if it is ours, and nothing about the resource itself is in doubt."""
    begun = record(error="the run was cut off")
    plan = compute([thing()], [record()], {A: current}, leftovers={0: seen}, unfinished=[begun])
    assert [(each.action, each.leftover) for each in plan.changes] == [
        (Action.DELETE, 1)
    ] * is_cleaned
    for change in plan.changes:
        assert change.reason == "a run that was cut off left it behind"
        assert (change.record, change.live) == (record(), seen)


def test_a_plan_is_sorted():
    """P6: by id, whatever came first."""
    names = ["c", "a", "b"]
    plan = compute([thing(each) for each in names], [], {f"Thing/{n}": Absent() for n in names})
    assert [each.id for each in plan.changes] == ["Thing/a", "Thing/b", "Thing/c"]
    plan = compute(
        [thing(each) for each in names],
        [record(each) for each in names],
        {f"Thing/{each}": there(each) for each in names},
    )
    assert plan.unchanged == ("Thing/a", "Thing/b", "Thing/c")
    assert plan.known_values.keys() == set(plan.unchanged)
    assert plan.known_values[A] == {**SIZE, "serial": "s-a"}


def test_a_reference_to_what_changes_is_known_only_afterwards():
    """What is computed is not known while it may change; what is stated is."""
    user = thing(
        "user", {"link": "{{resources.Thing/a.serial}}", "input": "{{resources.Thing/a.size}}"}
    )
    plan = compute([thing(), user], [], {A: Absent(), user.id: Absent()})
    fields = {each.path: each.after for each in plan.changes[1].fields}
    assert str(fields["link"]) == "(known after apply)"
    assert fields["input"] == 1
    kept = record("user", {"link": "s-a", "input": 1}, depends_on=(ResourceId(A),))
    live = {A: there(), user.id: there("user", {"link": "s-a", "input": 1})}
    plan = compute([thing(), user], [record(), kept], live)
    assert plan.unchanged == (A, user.id)


def test_who_refers_to_what_is_gone_and_left_so_keeps_what_it_was_given():
    """Where drift is not corrected, what was recorded still stands for those who refer to it."""
    user = thing("user", {"link": "{{resources.Thing/a.serial}}"})
    kept = record("user", {"link": "s-a"}, depends_on=(A,))
    live = {A: Absent(), user.id: there("user", {"link": "s-a"})}
    plan = compute([thing(lifecycle=DETECTED), user], [record(lifecycle=DETECTED), kept], live)
    assert [each.id for each in plan.drifted] == [A]
    assert plan.unchanged == (user.id,)


def test_only_what_is_derived_from_a_change_is_not_known():
    """An output changes with its input, however deep the change lies in it; an id does not."""
    for old, new in ((1, 2), ({"a": [1]}, {"a": [2]})):
        note = build_resource("Note/n", {"input": new})
        kept = msgspec.structs.replace(
            record("n", {"input": old}, "Note"), attributes={"input": old, "output": old}
        )
        user = thing("user", {"input": "{{resources.Note/n.output}}"})
        recorded = record("user", {"input": old})
        live = {
            "Note/n": Present(kept.attributes, None),
            user.id: there("user", {"input": old}),
        }
        plan = compute([note, user], [kept, recorded], live)
        (asked, followed) = plan.changes
        assert asked.reason == "the manifest changed"
        assert followed.reason == "what it refers to may change"
        assert [str(each.after) for each in followed.fields] == ["(known after apply)"]
        assert [each.cause for each in followed.fields] == [Cause.UPSTREAM]


def test_what_is_secret_stays_so_for_those_who_refer_to_it():
    """P8: the provider's answer repeats the secret, and is marked before anybody reads it."""
    desired = thing(spec={"input": "{{secrets.db.password}}"})
    kept = record(spec={"input": compute_fingerprint("hunter22", b"k")})
    live = there(spec={"input": "hunter22"})
    plan = compute([desired], [kept], {A: live}, secret=Secret("hunter22"))
    assert plan.unchanged == (A,)
    assert isinstance(plan.known_values[A]["input"], Secret)
    assert plan.known_values[A]["serial"] == "s-a"
    plan = compute([thing()], [record()], {A: there()}, secret=Secret("hunter22"))
    assert plan.known_values[A] == {**SIZE, "serial": "s-a"}

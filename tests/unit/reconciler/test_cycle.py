import pytest
from sandboxes import INFRA, WORKSPACE, Sandbox, build_resource

from provisioning.core.model.errors import LockHeld, PlanChanged
from provisioning.core.model.ids import Mark, ResourceId, RunId
from provisioning.core.model.records import Lock, Outcome
from provisioning.core.model.resources import DeletePolicy, DriftPolicy, Lifecycle
from provisioning.core.statelog.entries import compute_hold
from provisioning.core.statelog.fsck import compute_findings
from provisioning.reconciler.planning.plan_result import Conclusion, RunRequest


@pytest.fixture
def box(tmp_path):
    return Sandbox(tmp_path)


def story(box):
    """The state log's subjects without what varies, and proof that it is sound."""
    commits = list(box.log.read_history())[::-1]
    assert list(compute_findings(commits[::-1])) == []
    return [commit.subject for commit in commits]


def outcomes(report):
    return {change.id: str(change.outcome) for change in report.run.changes}


def live(box):
    """What exists, as (kind, attributes a test may look at)."""
    return {
        str(item.mark.resource) if item.mark else item.kind: item.attributes
        for item in box.world.snapshot().values()
    }


def test_a_first_run_creates_and_writes_exactly_twice(box):
    """One change costs a begin and a record, and no third write."""
    commit = box.commits.commit(build_resource("Thing/a", {"size": 1}))
    report = box.reconcile(commit)
    assert outcomes(report) == {"Thing/a": "created"}
    assert story(box) == ["begin run 1: 1 change by ana", "done run 1: 1 created"]
    assert live(box)["Thing/a"]["size"] == 1


def test_a_second_run_plans_and_writes_nothing(box):
    """P1: what was applied is not applied again."""
    commit = box.commits.commit(
        build_resource("Thing/a", {"size": 1, "tags": ["x", "y"], "password": "pw"}),
        build_resource("Note/n", {"input": "{{resources.Thing/a.serial}}"}),
        build_resource("Slot/s", {"place": "p1", "value": "{{resources.Note/n.output}}"}),
    )
    box.reconcile(commit)
    before = story(box)
    report = box.reconcile(commit)
    assert report.conclusion is Conclusion.UNCHANGED
    assert report.run is None
    assert story(box) == before


def test_an_update_changes_only_what_changed(box):
    """The plan names the field and where it goes, and leaves the rest alone."""
    box.reconcile(
        box.commits.commit(build_resource("Thing/a", {"size": 1}), build_resource("Thing/b"))
    )
    commit = box.commits.commit(build_resource("Thing/a", {"size": 2}), build_resource("Thing/b"))
    plan = box.look(commit).plan
    (change,) = plan.changes
    assert [(f.path, f.before, f.after) for f in change.fields] == [("size", 1, 2)]
    assert plan.unchanged == ("Thing/b",)
    box.reconcile(commit)
    assert live(box)["Thing/a"]["size"] == 2


def test_drift_is_healed_with_its_reason(box):
    """What somebody changed by hand is put back, and the plan says that it was drift."""
    commit = box.commits.commit(build_resource("Thing/a", {"size": 1}))
    box.reconcile(commit)
    (name,) = box.world.snapshot()
    box.world.change(name, {"size": 9})
    (change,) = box.look(commit).plan.changes
    assert change.reason == "it was changed outside of Git"
    box.reconcile(commit)
    assert live(box)["Thing/a"]["size"] == 1


@pytest.mark.parametrize(
    ("policy", "drifted"),
    [
        (DriftPolicy.DETECT, ["Thing/a"]),
        (DriftPolicy.PR, ["Thing/a"]),
        (DriftPolicy.IGNORE, []),
    ],
)
def test_drift_that_is_not_to_be_corrected_is_left(box, policy, drifted):
    """`detect` and `pr` report drift and `ignore` does not; none touches it."""
    lifecycle = Lifecycle(drift=policy)
    commit = box.commits.commit(build_resource("Thing/a", {"size": 1}, lifecycle=lifecycle))
    box.reconcile(commit)
    (name,) = box.world.snapshot()
    box.world.change(name, {"size": 9})
    plan_result = box.look(commit)
    assert not plan_result.plan.changes
    assert [each.id for each in plan_result.plan.drifted] == drifted
    assert {each.policy for each in plan_result.plan.drifted} <= {policy}


@pytest.mark.parametrize("policy", [DriftPolicy.DETECT, DriftPolicy.PR, DriftPolicy.IGNORE])
@pytest.mark.parametrize("is_gone", [False, True])
def test_drift_is_corrected_where_a_request_says_so(box, policy, is_gone):
    """What the request names is put back, and what it does not name is left."""
    lifecycle = Lifecycle(drift=policy)
    names = ("Thing/a", "Thing/b")
    commit = box.commits.commit(
        *(build_resource(name, {"size": 1}, lifecycle=lifecycle) for name in names)
    )
    box.reconcile(commit)
    for name in box.world.snapshot():
        if is_gone:
            box.world.remove(name)
        else:
            box.world.change(name, {"size": 9})
    request = RunRequest(commit=commit, reason="test", corrects=frozenset({"Thing/a"}))
    report = box.build_reconciler().reconcile(request)
    assert [(each.id, each.heals) for each in report.plan_result.plan.changes] == [
        ("Thing/a", True)
    ]
    sizes = {name: each["size"] for name, each in live(box).items()}
    assert sizes == {"Thing/a": 1} | ({} if is_gone else {"Thing/b": 9})


def test_what_is_no_longer_desired_is_deleted(box):
    """Removing a manifest removes its resource."""
    box.reconcile(box.commits.commit(build_resource("Thing/a"), build_resource("Thing/b")))
    report = box.reconcile(box.commits.commit(build_resource("Thing/b")))
    assert outcomes(report) == {"Thing/a": "deleted"}
    assert set(live(box)) == {"Thing/b"}
    assert set(box.read_records()) == {"Thing/b"}


def test_what_is_to_be_retained_is_only_forgotten(box):
    """`onDelete: retain` leaves the resource and drops the record."""
    keep = Lifecycle(on_delete=DeletePolicy.RETAIN)
    box.reconcile(
        box.commits.commit(build_resource("Thing/a", lifecycle=keep), build_resource("Thing/b"))
    )
    report = box.reconcile(box.commits.commit(build_resource("Thing/b")))
    assert outcomes(report) == {"Thing/a": "forgotten"}
    assert set(live(box)) == {"Thing/a", "Thing/b"}


def test_an_emptied_desired_state_is_blocked_until_allowed(box):
    """Nothing is deleted because everything vanished from Git at once."""
    box.reconcile(box.commits.commit(build_resource("Thing/a")))
    empty = box.commits.commit()
    report = box.reconcile(empty)
    assert report.conclusion is Conclusion.BLOCKED
    assert [each.code for each in report.plan_result.violations] == ["prune"]
    assert set(live(box)) == {"Thing/a"}
    assert outcomes(box.reconcile(empty, allow=["prune"])) == {"Thing/a": "deleted"}


def test_a_desired_state_that_does_not_follow_the_applied_one_is_blocked(box):
    """An old commit is not applied over a newer one by accident."""
    old = box.commits.commit(build_resource("Thing/a", {"size": 1}))
    new = box.commits.commit(build_resource("Thing/a", {"size": 2}))
    box.reconcile(new)
    assert [each.code for each in box.reconcile(old).plan_result.violations] == ["rewound"]
    assert outcomes(box.reconcile(old, allow=["rewound"])) == {"Thing/a": "updated"}


def test_the_protected_is_not_removed(box):
    """`protect` blocks deletion, also when the manifest is gone."""
    protect = Lifecycle(protect=True)
    box.reconcile(
        box.commits.commit(build_resource("Thing/a", lifecycle=protect), build_resource("Thing/b"))
    )
    report = box.reconcile(box.commits.commit(build_resource("Thing/b")))
    assert [each.code for each in report.plan_result.violations] == ["protected"]


def test_an_immutable_change_replaces_old_first(box):
    """A kind that cannot stand twice goes before it comes again."""
    box.reconcile(box.commits.commit(build_resource("Thing/a", {"zone": "x"})))
    before = live(box)["Thing/a"]["serial"]
    report = box.reconcile(box.commits.commit(build_resource("Thing/a", {"zone": "y"})))
    assert outcomes(report) == {"Thing/a": "replaced"}
    assert live(box)["Thing/a"]["serial"] != before
    assert len(box.world.snapshot()) == 1


def test_a_kind_that_can_stand_twice_is_made_before_the_old_goes(box):
    """Create-before-delete: the new place is taken first, the old one freed last."""
    box.reconcile(box.commits.commit(build_resource("Slot/s", {"place": "p1"})))
    report = box.reconcile(box.commits.commit(build_resource("Slot/s", {"place": "p2"})))
    assert outcomes(report) == {"Slot/s": "replaced"}
    assert [each.attributes["place"] for each in box.world.snapshot().values()] == ["p2"]


def test_a_value_flows_from_what_computes_it(box):
    """A reference to a computed field is known after apply, and right."""
    commit = box.commits.commit(
        build_resource("Thing/a"),
        build_resource("Note/n", {"input": "is {{resources.Thing/a.serial}}"}),
    )
    box.reconcile(commit)
    serial = live(box)["Thing/a"]["serial"]
    assert box.read_records()[ResourceId("Note/n")].attributes["output"] == f"is {serial}"


def test_a_foreign_thing_in_the_way_blocks_and_is_not_touched(box):
    """P4: what somebody made by hand is neither overwritten nor adopted."""
    box.world.add("Slot", {"place": "p1", "value": "theirs"})
    report = box.reconcile(box.commits.commit(build_resource("Slot/s", {"place": "p1"})))
    assert report.conclusion is Conclusion.BLOCKED
    assert "was not made by us" in report.plan_result.plan.blocked[0].reason
    assert [each.attributes["value"] for each in box.world.snapshot().values()] == ["theirs"]


def test_what_lost_our_mark_is_not_deleted(box):
    """P4: a record alone does not permit a deletion."""
    box.reconcile(
        box.commits.commit(build_resource("Slot/s", {"place": "p"}), build_resource("Thing/b"))
    )
    (name,) = [name for name, it in box.world.snapshot().items() if it.kind == "Slot"]
    box.world.remove(name)
    box.world.add("Slot", {"place": "p", "value": "theirs"})
    report = box.reconcile(box.commits.commit(build_resource("Thing/b")))
    assert outcomes(report) == {"Slot/s": "forgotten"}
    assert "Slot" in live(box)


def test_an_unreadable_resource_blocks_itself_and_its_dependents_only(box):
    """P5: a failed read is no absence; the rest goes on."""
    commit = box.commits.commit(
        build_resource("Thing/a"),
        build_resource("Thing/b", {"link": "{{resources.Thing/a.serial}}"}),
        build_resource("Thing/c"),
    )
    box.world.unreadable[ResourceId("Thing/a")] = "403"
    report = box.reconcile(commit)
    assert report.conclusion is Conclusion.BLOCKED
    assert [each.id for each in report.plan_result.plan.blocked] == ["Thing/a", "Thing/b"]
    assert outcomes(report) == {"Thing/c": "created"}


def test_what_something_unreadable_was_built_on_is_not_deleted(box):
    """A dependency stays as long as its dependant may still be there."""
    box.reconcile(
        box.commits.commit(
            build_resource("Thing/base"),
            build_resource("Thing/top", depends_on=["Thing/base"]),
            build_resource("Thing/x"),
        )
    )
    box.world.unreadable[ResourceId("Thing/top")] = "timeout"
    report = box.reconcile(box.commits.commit(build_resource("Thing/x")))
    assert [each.id for each in report.plan_result.plan.blocked] == ["Thing/base", "Thing/top"]
    assert "Thing/base" in live(box)


def test_a_declared_move_deletes_nothing(box):
    """`moved` keeps the live resource and gives it its new name."""
    box.reconcile(box.commits.commit(build_resource("Thing/old", {"size": 1})))
    serial = live(box)["Thing/old"]["serial"]
    commit = box.commits.commit(
        build_resource("Thing/new", {"size": 1}, moved_from=ResourceId("Thing/old"))
    )
    report = box.reconcile(commit)
    assert outcomes(report) == {"Thing/new": "updated"}
    assert live(box)["Thing/new"]["serial"] == serial
    assert set(box.read_records()) == {"Thing/new"}
    assert box.reconcile(commit).conclusion is Conclusion.UNCHANGED


def test_a_held_lock_keeps_runs_out_and_says_why(box):
    """Who holds it, since when and why is in the error."""
    held = Lock(
        token=1,
        holder=box._holder,
        reason="audit",
        acquired_at="2026-01-01T00:00:00Z",
        renewed_at="2026-01-01T00:00:00Z",
        ttl=0,
    )
    view = box.log.read()
    box.log.append(view, compute_hold(view, held))
    commit = box.commits.commit(build_resource("Thing/a"))
    with pytest.raises(LockHeld, match="audit"):
        box.reconcile(commit)
    assert not box.world.snapshot()


def test_what_was_approved_is_what_is_applied(box):
    """P7: another plan than the approved one is refused, the same one is not."""
    commit = box.commits.commit(build_resource("Thing/a", {"size": 1}))
    digest = box.look(commit).plan.digest
    other = box.commits.commit(build_resource("Thing/a", {"size": 2}))
    with pytest.raises(PlanChanged):
        box.build_reconciler().reconcile(RunRequest(commit=other, reason="x", digest=digest))
    assert not box.world.snapshot()
    report = box.build_reconciler().reconcile(RunRequest(commit=commit, reason="x", digest=digest))
    assert report.conclusion is Conclusion.APPLIED


def test_a_sensitive_value_is_in_no_record(box):
    """P8: the state log has a fingerprint, and a change of the value is still seen."""
    box.reconcile(box.commits.commit(build_resource("Thing/a", {"password": "hunter2"})))
    assert "hunter2" not in repr(box.branch.entries)
    commit = box.commits.commit(build_resource("Thing/a", {"password": "hunter3"}))
    plan = box.look(commit).plan
    assert [each.path for each in plan.changes[0].fields] == ["password"]
    assert "hunter" not in repr(plan.changes[0].fields)


def test_something_of_another_workspace_is_left_alone(box):
    """A mark of another owner is as foreign as none."""
    theirs = Mark(f"other/{INFRA}/Slot/s", RunId("1-aaaaaa"), 1)
    box.world.add("Slot", {"place": "p1"}, theirs)
    report = box.reconcile(box.commits.commit(build_resource("Slot/s", {"place": "p1"})))
    assert f"other/{INFRA}/Slot/s" in report.plan_result.plan.blocked[0].reason
    assert WORKSPACE not in str(box.world.snapshot())


def test_a_failure_stops_only_its_dependents(box):
    """What does not depend on the failed goes on; what does is skipped, and told why."""
    box.world.add("Slot", {"place": "p1"})
    commit = box.commits.commit(
        build_resource("Note/n", {"input": "p1"}),
        build_resource("Slot/s", {"place": "{{resources.Note/n.output}}"}),
        build_resource("Thing/top", depends_on=["Slot/s"]),
        build_resource("Thing/c"),
    )
    report = box.reconcile(commit)
    assert outcomes(report) == {
        "Note/n": "created",
        "Slot/s": "failed",
        "Thing/c": "created",
        "Thing/top": "skipped",
    }
    skipped = next(each for each in report.run.changes if each.outcome is Outcome.SKIPPED)
    assert skipped.reason == "Slot/s failed"

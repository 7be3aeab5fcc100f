"""What was read, and what nobody has."""

import msgspec

from provisioning.core.model.errors import Source
from provisioning.core.model.ids import CommitId
from provisioning.core.model.records import Action
from provisioning.core.plan.plan import Plan, PlannedChange, Risk
from provisioning.core.policy.approvals import compute_reviewed, list_unreviewed
from provisioning.core.policy.builtin_gates import GATES
from provisioning.core.policy.gates import GateContext, compute_violations
from provisioning.core.policy.review_records import (
    NOTHING,
    Approval,
    ReviewRecord,
    build_reviewed_plan,
    parse_review,
    render_review,
)


def change(name, action=Action.CREATE, **more):
    return PlannedChange(
        id=f"File/{name}",
        action=action,
        reason="",
        kind="File",
        provider="local",
        risk=Risk.SAFE,
        source=Source("a.yaml", 1),
        **more,
    )


def plan(*changes):
    return Plan(infra="web", commit="c" * 40, changes=changes)


def review(shown, **more):
    return ReviewRecord(pull=7, head="h" * 40, plans=(build_reviewed_plan(shown),), **more)


def find(found, *reviews):
    return [each.id for each in list_unreviewed(found, compute_reviewed("web", reviews))]


def test_what_was_shown_was_read():
    """The same effects pass, whatever else was shown with them."""
    shown = review(plan(change("a"), change("b")))
    assert find(plan(change("a")), shown) == []
    assert find(plan(change("a"), change("b")), shown) == []


def test_another_action_is_another_effect():
    """Who read that a file is made has not read that it is deleted."""
    shown = review(plan(change("a")))
    assert find(plan(change("a", Action.DELETE), change("c")), shown) == ["File/a", "File/c"]


def test_two_pull_requests_are_read_together():
    """What each of several merges showed is read, in one plan of them all."""
    reviews = [
        review(plan(change("a"))),
        msgspec.structs.replace(review(plan(change("b"))), pull=8),
    ]
    assert find(plan(change("a"), change("b")), *reviews) == []
    assert compute_reviewed("web", reviews).pulls == (7, 8)


def test_another_infra_s_review_says_nothing():
    """What was shown of one infra was not shown of another."""
    found = list_unreviewed(plan(change("a")), compute_reviewed("db", [review(plan(change("a")))]))
    assert [each.id for each in found] == ["File/a"]


def test_healing_needs_no_review():
    """What Git asked for already was read when it asked."""
    assert find(plan(change("a", heals=True), change("b"))) == ["File/b"]


def test_a_yes_is_to_one_plan():
    """An approval counts for exactly that plan, and no other."""
    wanted = plan(change("a"), change("b"))
    yes = Approval(infra="web", digest=wanted.digest, by="ben", comment=3)
    shown = review(plan(change("a")), approvals=(yes,))
    assert find(wanted, shown) == []
    assert find(plan(change("a"), change("c")), shown) == ["File/c"]


def test_a_review_that_is_not_signed_is_named():
    """The gate names the setting: another machine's reviews need its key."""
    reviewed = compute_reviewed("web", [ReviewRecord(pull=7, head=NOTHING)])
    assert reviewed.unsigned == (7,)
    context = GateContext(applied=None, descends=True, desired=1, recorded=0, reviewed=reviewed)
    (found,) = compute_violations(plan(change("a")), context, gates=GATES)
    assert "#7 is not signed with the key in forge.review_key_file" in found.reason


def test_a_record_is_read_as_it_was_written():
    """It comes back to who has the key, at its place; one that was changed does not."""
    record = review(plan(change("a")), answered=4)
    written = render_review(record, b"key", None)
    assert parse_review(written, b"key", None) == record
    assert parse_review(written, b"another", None) is None
    assert parse_review(written, b"key", CommitId("a" * 40)) is None
    for forged in (written.replace(b"4", b"0"), b"{}", b"[", b'"x"', written[:-9]):
        assert parse_review(forged, b"key", None) is None

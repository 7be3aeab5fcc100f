"""What is suspended, from when until when, and what waits for it."""

import pytest
from sandboxes import Sandbox, build_resource

from provisioning.core.model.ids import ResourceId
from provisioning.core.model.records import Suspension, Suspensions
from provisioning.core.policy.suspensions import (
    block_suspended,
    describe_suspension,
    get_suspension,
    list_suspended,
    with_resumption,
    with_suspension,
)

A, B = ResourceId("Thing/a"), ResourceId("Thing/b")
SINCE, BEFORE, END = "2026-11-24T10:00:00Z", "2026-11-24T11:59:59Z", "2026-11-24T12:00:00Z"
OPEN = Suspension(by="ana", since=SINCE)
SHORT = Suspension(by="ana", since=SINCE, until=END, reason="incident 7")


@pytest.mark.parametrize(
    ("suspension", "now", "holds"),
    [(None, BEFORE, False), (OPEN, END, True), (SHORT, BEFORE, True), (SHORT, END, False)],
)
def test_a_suspension_holds_until_its_end(suspension, now, holds):
    """Its end does not belong to it; without one it holds until it is resumed."""
    infra = Suspensions(infra=suspension)
    assert get_suspension(infra, now) == (suspension if holds else None)
    resources = Suspensions(resources={A: suspension})
    assert list_suspended(resources, now) == ({A: suspension} if holds else {})


def test_it_is_told_by_whom_since_when_until_when_and_why():
    """What was not said is not told."""
    assert describe_suspension(OPEN) == f"suspended by ana since {SINCE}"
    assert describe_suspension(SHORT) == (f"suspended by ana since {SINCE} until {END}: incident 7")


def test_what_waits_for_something_suspended_waits_too(tmp_path):
    """Each is blocked with its own reason; everything else goes on."""
    box = Sandbox(tmp_path)
    commit = box.commits.commit(
        build_resource(A), build_resource(B, depends_on=[A]), build_resource("Thing/c")
    )
    plan = block_suspended(box.look(commit).plan, Suspensions(resources={A: SHORT}), BEFORE)
    assert [each.id for each in plan.changes] == ["Thing/c"]
    told = {each.id: (each.reason, each.hint) for each in plan.blocked}
    assert told == {
        A: (f"it is {describe_suspension(SHORT)}", f"`provisioning resume web {A}` ends that"),
        B: ("it waits for a suspended resource", None),
    }


def test_each_is_suspended_and_resumed_by_itself():
    """The infra and every resource have a suspension of their own, in the order of their names."""
    both = with_suspension(with_suspension(Suspensions(), B, OPEN), A, SHORT)
    assert list(both.resources.items()) == [(A, SHORT), (B, OPEN)]
    whole = with_suspension(both, None, OPEN)
    assert (whole.infra, whole.resources) == (OPEN, both.resources)
    assert with_suspension(whole, None, None) == both
    assert with_suspension(both, A, None) == Suspensions(resources={B: OPEN})


def test_the_newest_resumption_counts():
    """What was resumed before stays resumed; nothing else is touched."""
    once = with_resumption(Suspensions(infra=OPEN), [B], 3)
    twice = with_resumption(once, [A, B], 5)
    assert twice.infra == OPEN
    assert list(twice.resumed.items()) == [(A, 5), (B, 5)]
    assert with_resumption(once, [A], 5).resumed == {A: 5, B: 3}

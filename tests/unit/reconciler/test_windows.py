"""A run and the windows of its infra, by an injected clock."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace
from sandboxes import Sandbox, build_resource

from provisioning.core.model.durations import parse_span
from provisioning.core.policy.cron import parse_cron
from provisioning.core.policy.windows import Window, WindowEffect
from provisioning.reconciler.execution.lease import Clocks
from provisioning.reconciler.planning.plan_result import Conclusion, RunRequest

NIGHTLY = Window(
    name="nightly",
    effect=WindowEffect.ALLOW,
    cron=parse_cron("0 22 * * *"),
    span=parse_span("6h"),
    zone=ZoneInfo("Europe/Berlin"),
)


@pytest.fixture
def box(tmp_path):
    return Sandbox(tmp_path)


def reconcile(box, time, commit, *allow):
    box.clocks = Clocks(wall=lambda: datetime.fromisoformat(time).timestamp())
    reconciler = box.build_reconciler()
    settings = replace(reconciler.context.settings, windows=(NIGHTLY,))
    reconciler = box.build_reconciler(settings=settings)
    return reconciler.reconcile(RunRequest(commit=commit, reason="it burns", allow=allow))


def test_a_change_waits_until_a_window_opens(box):
    """Outside of it nothing is written; the same request within it applies."""
    commit = box.commits.commit(build_resource("Thing/a", {"size": 1, "zone": "x"}))
    report = reconcile(box, "2026-11-24T12:00Z", commit)
    assert report.conclusion is Conclusion.BLOCKED
    assert [each.code for each in report.plan_result.violations] == ["window"]
    assert box.log.read().head is None
    report = reconcile(box, "2026-11-24T21:00Z", commit)
    assert report.conclusion is Conclusion.APPLIED
    assert reconcile(box, "2026-11-25T12:00Z", commit).conclusion is Conclusion.UNCHANGED


def test_a_yes_opens_it_for_one_plan_and_is_recorded(box):
    """The code alone is no yes; a yes to this plan is, and the run keeps who said it and why."""
    commit = box.commits.commit(build_resource("Thing/a", {"size": 1, "zone": "x"}))
    closed = "2026-11-24T12:00Z"
    (violation,) = reconcile(box, closed, commit, "window").plan_result.violations
    bound = violation.hint.rpartition(" ")[2].strip("`")
    other = box.commits.commit(build_resource("Thing/b", {"size": 1, "zone": "x"}))
    assert reconcile(box, closed, other, bound).conclusion is Conclusion.BLOCKED
    run = reconcile(box, closed, commit, bound).run
    assert (run.allowed, run.actor, run.reason) == ((bound,), "ana", "it burns")

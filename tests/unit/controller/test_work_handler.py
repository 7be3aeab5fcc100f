"""What follows from a piece of work."""

from queue import Queue
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from provisioning.controller.work_handler import WorkHandler
from provisioning.controller.worker_pool import WorkerPool
from provisioning.controller.workspace_state import Revision, WorkspaceState
from provisioning.core.model.errors import RemoteUnreachable, Source
from provisioning.core.model.records import Action
from provisioning.core.plan.plan import Plan, PlannedChange, Risk
from provisioning.core.policy.gates import GateViolation
from provisioning.core.reviews.findings import InfraReview, PullReview
from provisioning.core.reviews.forge import PullRequest
from provisioning.core.scheduling.workqueue import Key, QueueStatus, Topic, Urgency, Work
from provisioning.reconciler.execution.cancellation import Cancellation

CHANGE = PlannedChange(
    id="File/motd",
    action=Action.CREATE,
    reason="",
    kind="File",
    provider="local",
    risk=Risk.SAFE,
    source=Source("a.yaml", 1),
)
WEB = InfraReview(infra="web", plan=Plan(infra="web", commit="c" * 40, changes=(CHANGE,)))
PULL = PullRequest(
    number=7,
    author="ana",
    head="h" * 40,
    head_branch="topic",
    base_branch="main",
    is_open=False,
    is_fork=False,
    url="",
    merged="m" * 40,
)


def review(found):
    """Return what is queued once the review of #7 found *found*."""
    events = Queue()
    worker_pool = WorkerPool(size=1, timeout=60, notify=events.put)
    state = WorkspaceState("shop")
    reviewer = SimpleNamespace(review=lambda _: found, review_closed=lambda: [found])
    workspace = SimpleNamespace(build_reviewer=lambda: reviewer)
    state.revision = Revision(workspace, "c" * 40, frozenset({"web"}))
    handler = WorkHandler(
        state=state,
        worker_pool=worker_pool,
        watches=None,
        statuses=None,
        request_fetch=None,
        notify=events.put,
        stop=Cancellation(),
    )
    work = Work(
        key=Key("shop", Topic.PULL, "7"),
        urgency=Urgency.REVIEW,
        since=0.0,
        reason="webhook",
        standing=QueueStatus.RUNNING,
    )
    assert handler.work(work).is_good
    with worker_pool.open_queue() as queue:
        return [(each.key.name, each.urgency) for each in queue.list_work()]


def test_what_a_review_completes_is_applied():
    """The merge was looked at before its review was remembered: it is looked at again."""
    assert review(PullReview(pull=PULL, infras=(WEB,))) == [("web", Urgency.DRIFT)]


@pytest.mark.parametrize(
    "found",
    [
        PullReview(pull=replace(PULL, merged=None, is_open=True), infras=(WEB,)),
        PullReview(pull=PULL, infras=(replace(WEB, unreviewed=(CHANGE,)),)),
        PullReview(
            pull=PULL, infras=(replace(WEB, violations=(GateViolation(code="x", reason=""),)),)
        ),
        PullReview(pull=PULL, infras=(replace(WEB, plan=Plan(infra="web", commit="c" * 40)),)),
    ],
    ids=["open", "waits for approval", "stopped by a gate", "nothing to do"],
)
def test_a_review_asks_for_nothing_else(found):
    """What is not merged, waits, or is done, is not looked at again."""
    assert review(found) == []


class Broken:
    """Reads its log, and then cannot go on."""

    def __init__(self):
        self.read = []
        log = SimpleNamespace(
            read=lambda: self.read.append("remote"), read_local=lambda: self.read.append("mirror")
        )
        self.context = SimpleNamespace(log=log)

    def plan(self, request, view):
        raise RemoteUnreachable("it is unknown whether it was pushed")


def test_after_an_error_the_mirror_is_not_trusted():
    """What was written may have arrived, and a fetch that began before may have hidden it."""
    events, broken = Queue(), Broken()
    worker_pool = WorkerPool(size=1, timeout=60, notify=events.put)
    state = WorkspaceState("shop")
    opened = SimpleNamespace(build_reconciler=lambda infra, commit, stop, listener: broken)
    workspace = SimpleNamespace(opened=opened, is_at_forge=False)
    state.revision = Revision(workspace, "c" * 40, frozenset({"web"}))
    watches = SimpleNamespace(follow=lambda *_: None, count=lambda *_, **__: None)
    handler = WorkHandler(
        state=state,
        worker_pool=worker_pool,
        watches=watches,
        statuses=None,
        request_fetch=None,
        notify=events.put,
        stop=Cancellation(),
    )
    work = Work(
        key=state.get_key("web"),
        urgency=Urgency.RESYNC,
        since=0.0,
        reason="resync",
        standing=QueueStatus.RUNNING,
    )
    for _ in range(2):
        assert handler.work(work).retry is not None
    assert broken.read == ["mirror", "remote"]

"""The commit statuses outlive a defect."""

from queue import Queue

from provisioning.controller import commit_statuses as module
from provisioning.controller.commit_statuses import CommitStatuses
from provisioning.controller.events import CycleEnded, Defect, ForgeCallFailed
from provisioning.core.model.errors import RemoteUnreachable
from provisioning.core.scheduling.workqueue import Key, Topic, Urgency


def test_a_defect_does_not_end_the_thread(monkeypatch):
    """It is reported with its trace, and the next status is sent."""
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)
    slips, events = [ZeroDivisionError("a slip")], Queue()

    def open_forge():
        raise slips.pop() if slips else RemoteUnreachable("away")

    statuses = CommitStatuses("shop", open_forge, str, events.put)
    ended = CycleEnded(
        key=Key("shop", Topic.INFRA, "web"),
        urgency=Urgency.PUSH,
        commit="c1",
        result="failed",
        sentence="web: no",
        plan_seconds=0,
        seconds=0,
        since_requested=0,
    )
    statuses.start()
    statuses.follow("c1", ["web"])
    statuses.report(ended)
    defect = events.get(timeout=30)
    assert isinstance(defect, Defect)
    assert "a slip" in defect.trace
    statuses.report(ended)
    assert isinstance(events.get(timeout=30), ForgeCallFailed)
    statuses.close()

"""What tells a forge outlives what is no error of ours."""

from queue import Queue

from provisioning.controller import commit_statuses as module
from provisioning.controller.commit_statuses import CommitStatuses
from provisioning.controller.events import CycleEnded, Defect, ForgeUntold
from provisioning.core.model.errors import InvalidManifest, RemoteUnreachable
from provisioning.core.scheduling.workqueue import Key, QueueStatus, Topic, Urgency, Work


def test_a_defect_does_not_silence_it(monkeypatch):
    """It is told with its trace, and the next word is said."""
    monkeypatch.setattr(module, "AGAIN", 0.01)
    slips, told = [ZeroDivisionError("a slip")], Queue()

    def open_forge():
        raise slips.pop() if slips else RemoteUnreachable("away")

    statuses = CommitStatuses("shop", open_forge, str, told.put)
    work = Work(
        key=Key("shop", Topic.INFRA, "web"),
        urgency=Urgency.PUSH,
        since=0,
        reason="",
        standing=QueueStatus.RUNNING,
    )
    error = InvalidManifest("no")
    ended = CycleEnded(
        work=work, commit="c1", looked=0, seconds=0, since_asked=0, retry=None, error=error
    )
    statuses.start()
    statuses.follow("c1", ["web"])
    statuses.show(ended)
    defect = told.get(timeout=30)
    assert isinstance(defect, Defect)
    assert "a slip" in defect.trace
    statuses.show(ended)
    assert isinstance(told.get(timeout=30), ForgeUntold)
    statuses.close()

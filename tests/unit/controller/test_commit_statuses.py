"""The commit statuses: sent once, retried while the forge is away, never for others."""

import threading
from types import SimpleNamespace

import pytest

from provisioning.controller import commit_statuses as module
from provisioning.controller.commit_statuses import CONTEXT, CommitStatuses
from provisioning.controller.events import CycleEnded, ForgeCallFailed
from provisioning.core.model.errors import (
    InvalidManifest,
    LockHeld,
    RemoteRefused,
    RemoteUnreachable,
    Source,
)
from provisioning.core.reviews.forge import CommitStatus, State
from provisioning.core.scheduling.workqueue import Key, Topic, Urgency


class Forge:
    """Keeps statuses, and is away `away` times."""

    def __init__(self):
        self.statuses, self.calls, self.away, self.refused = {}, [], 0, set()
        self.was_called = threading.Event()

    def list_statuses(self, commit):
        if self.away:
            self.away -= 1
            raise RemoteUnreachable("away")
        return {name: it for (where, name), it in self.statuses.items() if where == commit}

    def set_status(self, commit, status):
        if commit in self.refused:
            raise RemoteRefused("no such commit")
        self.statuses[commit, status.context] = status
        self.calls.append((commit, status))
        self.was_called.set()

    def get_file_url(self, branch, path):
        return f"https://forge/{branch}/{path}"


def ended(infra="web", commit="c1", error=None):
    return CycleEnded(key=Key("shop", Topic.INFRA, infra), urgency=Urgency.PUSH, commit=commit,
                      result=error.code, sentence=f"{infra}: {error}", plan_seconds=0,
                      seconds=0, since_requested=0, error=error)  # fmt: skip


@pytest.fixture
def setting(monkeypatch):
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)
    forge, events = Forge(), []
    statuses = CommitStatuses("shop", lambda: forge, lambda text: text.replace("s3cret", "***"),
                        events.append)  # fmt: skip
    statuses.start()
    yield SimpleNamespace(forge=forge, events=events, statuses=statuses)
    statuses.close()


def test_the_infras_that_a_commit_touched_have_a_status(setting):
    """With what is wrong and where, a link, and no secret; others are not."""
    setting.statuses.follow("c1", ["web"])
    setting.statuses.report(ended("api", error=InvalidManifest("no")))
    setting.statuses.report(ended(error=InvalidManifest("no s3cret", source=Source("a.yaml", 3))))
    assert setting.forge.was_called.wait(20)
    ((commit, status),) = setting.forge.calls
    assert (commit, status.context, status.state) == ("c1", f"{CONTEXT}/web", State.FAILURE)
    assert status.description == "web: a.yaml:3: no ***"
    assert status.url == "https://forge/provisioning/web/run.json"


def test_what_can_still_come_is_pending(setting):
    """Somebody else's lock is no failure of the commit."""
    setting.statuses.follow("c1", ["web"])
    setting.statuses.report(ended(error=LockHeld("held")))
    assert setting.forge.was_called.wait(20)
    assert setting.forge.calls[0][1].state is State.PENDING


def test_a_status_is_retried_while_the_forge_is_away(setting):
    """The last status counts, and is sent when the forge is back."""
    setting.forge.away = 3
    setting.statuses.follow("c1", ["web"])
    setting.statuses.report(ended(error=InvalidManifest("first")))
    setting.statuses.report(ended(error=InvalidManifest("last")))
    assert setting.forge.was_called.wait(20)
    assert setting.forge.calls[-1][1].description == "web: last"
    assert isinstance(setting.events[0], ForgeCallFailed)


def test_a_status_that_is_there_is_not_sent_again(setting):
    """A restart writes nothing where nothing is new."""
    status = CommitStatus(
        context=f"{CONTEXT}/web",
        state=State.FAILURE,
        description="web: no",
        url="https://forge/provisioning/web/run.json",
    )
    setting.forge.statuses["c1", status.context] = status
    setting.statuses.follow("c1", ["web", "api"])
    setting.statuses.report(ended(error=InvalidManifest("no")))
    setting.statuses.report(ended("api", error=InvalidManifest("no")))
    assert setting.forge.was_called.wait(20)
    setting.statuses.close()
    assert [each.context for _, each in setting.forge.calls] == [f"{CONTEXT}/api"]


def test_a_status_that_is_refused_holds_up_no_other(setting):
    """As of a commit that is gone: it is reported once, and dropped."""
    setting.statuses.follow("gone", ["web"])
    setting.statuses.follow("c1", ["api"])
    setting.forge.refused = {"gone"}
    setting.statuses.report(ended(commit="gone", error=InvalidManifest("no")))
    setting.statuses.report(ended("api", error=InvalidManifest("no")))
    assert setting.forge.was_called.wait(20)
    setting.statuses.close()
    assert [commit for commit, _ in setting.forge.calls] == ["c1"]
    assert len(setting.events) == 1


def test_an_older_commit_gets_its_status_when_a_newer_one_came_first(setting):
    """It touched the infra, and the cycle that applied it ran at the newer one."""
    setting.statuses.follow("c1", ["web"])
    setting.statuses.follow("c2", ["api"])
    setting.statuses.report(ended(commit="c2", error=InvalidManifest("no")))
    assert setting.forge.was_called.wait(20)
    assert [(commit, it.context) for commit, it in setting.forge.calls] == [
        ("c1", f"{CONTEXT}/web")
    ]


def test_a_newer_commit_gets_no_status_of_an_older_cycle(setting):
    """What ran at c1 says nothing of c2."""
    setting.statuses.follow("c1", ["web"])
    setting.statuses.follow("c2", ["web"])
    setting.statuses.report(ended(commit="c1", error=InvalidManifest("no")))
    assert setting.forge.was_called.wait(20)
    setting.statuses.close()
    assert [commit for commit, _ in setting.forge.calls] == ["c1"]

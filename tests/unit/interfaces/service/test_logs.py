"""The service's log: a sentence and its keys, and no secret."""

import io
import json

import pytest

from provisioning.controller.events import (
    ConfigurationKept,
    CycleBegun,
    CycleEnded,
    Defect,
    Exchanged,
    Fetched,
    FetchFailed,
    ForgeUntold,
    PullsReviewed,
    WorkerHung,
)
from provisioning.core.model.errors import InvalidManifest, RemoteUnreachable
from provisioning.core.model.redaction import Redactor
from provisioning.core.scheduling.workqueue import Key, QueueStatus, Topic, Urgency, Work
from provisioning.interfaces.schema.service import shape_news
from provisioning.interfaces.service.logs import build_log, log_news

KEY = Key("shop", Topic.INFRA, "web")
WORK = Work(key=KEY, urgency=Urgency.PUSH, since=0, reason="push", standing=QueueStatus.RUNNING)
ERROR = RemoteUnreachable("no answer for p4ssw0rd", hint="try again")
NEWS = {
    "fetched": Fetched(
        workspace="shop", commit="c" * 40, seconds=1, is_new=True, infras=2, touched=1
    ),
    "fetch-failed": FetchFailed(workspace="shop", error=ERROR, retry=2),
    "settings-kept": ConfigurationKept(workspace="shop", error=ERROR),
    "forge-untold": ForgeUntold(workspace="shop", error=ERROR),
    "cycle-begun": CycleBegun(work=WORK, commit="c" * 40, waited=0),
    "cycle-ended": CycleEnded(
        work=WORK, commit="c" * 40, looked=0, seconds=1, since_asked=2, retry=3,
        error=InvalidManifest("no p4ssw0rd"),
    ),
    "reviewed": PullsReviewed(work=WORK, seconds=1, retry=None, error=ERROR),
    "worker-hung": WorkerHung(work=WORK, seconds=99),
    "defect": Defect(key=KEY, trace="Traceback\n  p4ssw0rd"),
    "git": Exchanged(operation="fetch", seconds=1, is_done=True),
}  # fmt: skip


def write(news, *, as_json, level="debug"):
    stream, redactor = io.StringIO(), Redactor()
    redactor.add("p4ssw0rd")
    log = build_log(as_json=as_json, level=level, redact=redactor.redact, stream=stream)
    log_news(log, news, shape_news(news))
    return stream.getvalue()


@pytest.mark.parametrize("action", NEWS)
def test_each_event_is_one_line_of_json(action):
    """With its action, its level, its time and a sentence; without a secret or a line break."""
    text = write(NEWS[action], as_json=True)
    line = json.loads(text)
    assert text.count("\n") == 1
    assert line["action"] == action
    assert {"event", "level", "time"} <= line.keys()
    assert "p4ssw0rd" not in text


@pytest.mark.parametrize("action", NEWS)
def test_each_event_is_one_line_of_keys(action):
    """The same for people."""
    text = write(NEWS[action], as_json=False)
    assert text.count("\n") == 1
    assert f"action='{action}'" in text
    assert "p4ssw0rd" not in text


def test_a_level_hides_what_is_below_it():
    """What somebody should do something about is an error."""
    assert write(NEWS["git"], as_json=True, level="info") == ""
    for action in ("fetch-failed", "settings-kept", "worker-hung", "cycle-ended", "defect"):
        assert write(NEWS[action], as_json=True, level="error")

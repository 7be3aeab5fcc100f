"""The service's log: a sentence and its keys, and no secret."""

import io
import json

import pytest

from provisioning.controller.events import (
    CycleBegun,
    CycleEnded,
    Defect,
    Exchanged,
    Fetched,
    FetchFailed,
    ForgeCallFailed,
    PullsReviewed,
    RunProgress,
    SettingsRejected,
    WatchFailed,
    WorkerHung,
)
from provisioning.core.model.errors import InvalidManifest, RemoteUnreachable
from provisioning.core.model.redaction import Redactor
from provisioning.core.scheduling.workqueue import Key, Topic, Urgency
from provisioning.interfaces.schema.service import shape_event
from provisioning.interfaces.service.logs import build_log, log_event
from provisioning.reconciler.events import Event, EventKind

KEY = Key("shop", Topic.INFRA, "web")
ERROR = RemoteUnreachable("no answer for p4ssw0rd", hint="try again")
EVENTS = {
    "fetched": Fetched(
        workspace="shop", commit="c" * 40, seconds=1, is_new=True, infras=2, touched=1
    ),
    "fetch-failed": FetchFailed(workspace="shop", error=ERROR, retry=2),
    "settings-rejected": SettingsRejected(workspace="shop", error=ERROR),
    "forge-call-failed": ForgeCallFailed(workspace="shop", error=ERROR),
    "watch-failed": WatchFailed(workspace="shop", error=ERROR),
    "cycle-begun": CycleBegun(
        key=KEY, urgency=Urgency.PUSH, reason="push", commit="c" * 40, waited=0
    ),
    "cycle-ended": CycleEnded(
        key=KEY, urgency=Urgency.PUSH, commit="c" * 40, result="invalid-manifest",
        sentence="web: no p4ssw0rd", plan_seconds=0, seconds=1, since_requested=2, retry=3,
        error=InvalidManifest("no p4ssw0rd"),
    ),
    "reviewed": PullsReviewed(key=KEY, seconds=1, retry=None, error=ERROR),
    "worker-hung": WorkerHung(key=KEY, seconds=99),
    "defect": Defect(key=KEY, trace="Traceback\n  p4ssw0rd"),
    "operation-ended": RunProgress(
        key=KEY,
        event=Event(kind=EventKind.OPERATION_ENDED, infra="web", id="File/a", text="created"),
    ),
    "git": Exchanged(operation="fetch", seconds=1, is_done=True),
}  # fmt: skip


def write(event, *, as_json, level="debug"):
    stream, redactor = io.StringIO(), Redactor()
    redactor.add("p4ssw0rd")
    log = build_log(as_json=as_json, level=level, redact=redactor.redact, stream=stream)
    log_event(log, shape_event(event))
    return stream.getvalue()


@pytest.mark.parametrize("action", EVENTS)
def test_each_event_is_one_line_of_json(action):
    """With its action, its level, its time and a sentence; without a secret or a line break."""
    text = write(EVENTS[action], as_json=True)
    line = json.loads(text)
    assert text.count("\n") == 1
    assert line["action"] == action
    assert {"event", "level", "time"} <= line.keys()
    assert "p4ssw0rd" not in text


@pytest.mark.parametrize("action", EVENTS)
def test_each_event_is_one_line_of_keys(action):
    """The same for people."""
    text = write(EVENTS[action], as_json=False)
    assert text.count("\n") == 1
    assert f"action='{action}'" in text
    assert "p4ssw0rd" not in text


def test_a_level_hides_what_is_below_it():
    """What somebody should do something about is an error."""
    assert write(EVENTS["git"], as_json=True, level="info") == ""
    for action in ("fetch-failed", "settings-rejected", "worker-hung", "cycle-ended", "defect"):
        assert write(EVENTS[action], as_json=True, level="error")


def test_the_json_of_an_event_has_its_fields():
    """Errors and keys of the queue become the keys that people search for."""
    shape = shape_event(EVENTS["cycle-ended"])
    assert (shape["workspace"], shape["infra"], shape["urgency"]) == ("shop", "web", "push")
    assert (shape["code"], shape["planSeconds"], shape["run"]) == ("invalid-manifest", 0, None)
    assert (shape["level"], shape["repeated"]) == ("error", False)

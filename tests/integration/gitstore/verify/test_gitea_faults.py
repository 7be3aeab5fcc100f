"""What becomes of each write when something between us and a real Gitea goes wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import msgspec
import pytest
from entries import begin, make_begin, make_lock, name_run, record
from gitea_proxy import Fault, FaultyProxy

from provisioning.core.model.errors import HeadMoved, RemoteRefused, RemoteUnreachable
from provisioning.core.statelog.entries import (
    compute_begin,
    compute_hold,
    compute_release,
    compute_renewal,
)
from provisioning.core.statelog.fsck import compute_findings
from provisioning.core.statelog.transitions import is_own
from provisioning.forges.gitea.api import GiteaApi
from provisioning.forges.gitea.contents import GiteaContents
from provisioning.gitstore.repository.remote import Remote
from provisioning.gitstore.statelog.git_statelog import GitStateLog
from provisioning.locks.gitea_lock import ContentsStateLog
from provisioning.transport.http import HttpPolicy

pytestmark = [pytest.mark.peer("gitea"), pytest.mark.xdist_group("gitea-faults")]

PATIENCE, SHORT = 120.0, 12.0
"""Seconds after which a client gives up; the short ones where nothing will be answered."""

HTML = {"status": 200, "headers": {"Content-Type": "text/html"}, "body": b"<h1>Sign in</h1>"}
ERROR = {"headers": {"Content-Type": "text/html"}, "body": b"<h1>Oh no</h1>"}


@dataclass
class Site:
    """One repository at Gitea, and the proxy before it."""

    server: object
    proxy: FaultyProxy
    folder: Path
    repository: str
    pauses: list = field(default_factory=list)
    numbers: count = field(default_factory=count)
    apis: list = field(default_factory=list)

    def open_log(self, patience=PATIENCE):
        """Open the log as a machine of its own would, through the proxy."""
        url = f"{self.proxy.url}/{self.repository}.git"
        mirror = self.folder / f"mirror-{next(self.numbers)}.git"
        remote = Remote(url, mirror, token=self.server.token, timeout=patience)
        policy = HttpPolicy(timeout=patience)
        token, sleep = self.server.token, self.pauses.append
        api = GiteaApi(self.proxy.url, token, policy=policy, sleep=sleep)
        self.apis.append(api)
        contents = GiteaContents(api, self.repository)
        return ContentsStateLog(
            remote.mirror, "web", remote=remote, author="Ada", contents=contents
        )

    def look(self):
        """Return the log as it is at Gitea, which is asked directly, and its history."""
        url = f"{self.server.url}/{self.repository}.git"
        mirror = self.folder / f"mirror-{next(self.numbers)}.git"
        remote = Remote(url, mirror, token=self.server.token)
        log = GitStateLog(remote.mirror, "web", remote=remote, author="judge")
        return log.read(), list(log.read_history())


@pytest.fixture
def site(gitea, tmp_path):
    with FaultyProxy(gitea.url) as proxy:
        site = Site(gitea, proxy, tmp_path, gitea.create_repository())
        yield site
        for api in site.apis:
            api.close()


def renew(log, view):
    lock = msgspec.structs.replace(view.lock, renewed_at="2030-01-01T00:01:00Z")
    return log.append(view, compute_renewal(lock, view.begin, extended=False))


def steal(log, view):
    run = name_run(view, 77)
    return log.append(view, compute_begin(view, make_lock(view, run), make_begin(run)))


def hold(log, view):
    return log.append(view, compute_hold(view, make_lock(view, None)))


def release(log, view):
    return log.append(view, compute_release(view, "ada"))


CALL, PUSH = r"^POST /api/v1/.*/contents", r"^POST .*/git-receive-pack"

WRITES = {
    "first": (PUSH, (), begin),
    "begin": (CALL, (begin, record), begin),
    "renew": (CALL, (begin,), renew),
    "steal": (CALL, (begin,), steal),
    "hold": (CALL, (hold, release), hold),
    "release": (CALL, (hold,), release),
    "record": (PUSH, (begin,), record),
}
"""The request that each write makes, what must stand before it, and the write."""

BEFORE = {
    "500": Fault(status=500, **ERROR),
    "502": Fault(status=502, **ERROR),
    "503": Fault(status=503, headers={"Retry-After": "3"}),
    "cut": Fault(),
    "html": Fault(**HTML),
    "silence": Fault(hangs=True),
}
AFTER = {
    "500": Fault(1, status=500, **ERROR),
    "502": Fault(1, status=502, **ERROR),
    "503": Fault(1, status=503),
    "cut": Fault(1),
    "html": Fault(1, **HTML),
    "half": Fault(1, half=True),
    "silence": Fault(1, hangs=True),
    "twice": Fault(2),
}
LATE = Fault(hangs=True, late=True)
MANY = ("begin", "record")
FEW = {"cut", "html"}


def list_cases(faults):
    return [
        pytest.param(write, fault, id=f"{write}-{name}")
        for name, fault in faults.items()
        for write in WRITES
        if write in MANY or name in FEW
    ]


def prepare(site, write, fault=None):
    """Bring the log to where *write* can be made; return a log, its view, the request."""
    request, before, act = WRITES[write]
    log = site.open_log(SHORT if fault and fault.hangs else PATIENCE)
    view = log.read()
    for each in before:
        view = each(log, view)
    return log, view, request, act


def judge(site, expected):
    """The head is *expected*, the log is sound, and each commit is there once."""
    view, history = site.look()
    assert view == expected
    assert list(compute_findings(history)) == []
    stories = [(each.subject, each.trailers.get("Run-Id"), each.view.lock) for each in history]
    assert len(history) == len({str(each) for each in stories})


@pytest.mark.parametrize(("write", "fault"), list_cases(BEFORE))
def test_what_did_not_arrive_is_an_error_and_nothing_was_written(site, write, fault):
    """The error tells that it may be tried again, the log is as it was, and trying works."""
    log, view, request, act = prepare(site, write, fault)
    site.proxy.plan(request, fault)
    if request == PUSH and fault == Fault():
        site.proxy.plan(request, fault)  # git sends it once more by itself
    with pytest.raises(RemoteUnreachable) as caught:
        act(log, view)
    assert site.proxy.is_done
    assert site.server.token not in str(caught.value) + caught.value.hint
    judge(site, view)
    assert act(log, log.read()) == site.look()[0]


@pytest.mark.parametrize(("write", "fault"), list_cases(AFTER))
def test_what_arrived_is_a_success_whatever_was_answered(site, write, fault):
    """The log is read back: the write is ours, it is there once, and we go on from it."""
    log, view, request, act = prepare(site, write, fault)
    site.proxy.plan(request, fault)
    after = act(log, view)
    assert site.proxy.is_done
    judge(site, after)


@pytest.mark.parametrize("write", MANY)
def test_an_answer_that_nothing_can_clear_up_is_unknown_until_the_next_look(site, write):
    """The answer is lost and reading back fails: "unknown"; who reads later sees the truth."""
    log, view, request, act = prepare(site, write)
    site.proxy.plan(request, Fault(1))
    site.proxy.plan(r"^GET .*service=git-upload-pack", Fault())
    with pytest.raises(RemoteUnreachable, match="it is unknown whether"):
        act(log, view)
    there, _ = site.look()
    assert there.head != view.head
    assert log.read() == there
    judge(site, there)


@pytest.mark.parametrize("write", MANY)
def test_a_write_that_lands_after_we_gave_up_is_seen_by_the_next(site, write):
    """A request that was held back lands late: once, whole, and nobody else's write is lost."""
    log, view, request, act = prepare(site, write, LATE)
    site.proxy.plan(request, LATE)
    with pytest.raises(RemoteUnreachable):
        act(log, view)
    site.proxy.let_go()
    there = log.read()
    judge(site, there)
    assert there.head != view.head
    with pytest.raises(HeadMoved):
        act(site.open_log(), view)
    judge(site, there)


def test_a_late_write_is_fenced_off_by_whoever_wrote_meanwhile(site):
    """A begin that is held back until another run holds the lock does not land."""
    log, view, request, act = prepare(site, "begin", LATE)
    site.proxy.plan(request, LATE)
    with pytest.raises(RemoteUnreachable):
        act(log, view)
    there = begin(site.open_log(), view, 5)
    site.proxy.let_go()
    judge(site, there)


def test_a_forge_that_is_busy_is_asked_again_when_it_says(site):
    """A 429 did nothing: the call is made again after the wait that was asked for."""
    log, view, request, act = prepare(site, "begin")
    site.proxy.plan(request, Fault(status=429, headers={"Retry-After": "7"}))
    site.proxy.plan(request, Fault(status=429))
    judge(site, act(log, view))
    assert site.pauses == [7.0, 4.0]


def test_a_forge_that_stays_busy_is_an_error(site):
    """After four tries it is said, with how to go on."""
    log, view, request, act = prepare(site, "begin")
    for _ in range(4):
        site.proxy.plan(request, Fault(status=429))
    with pytest.raises(RemoteUnreachable, match="429") as caught:
        act(log, view)
    assert "run again later" in caught.value.hint
    judge(site, view)


@pytest.mark.parametrize(("write", "status"), [("begin", 302), ("begin", 307)])
def test_a_forge_that_has_moved_is_named(site, write, status):
    """No write follows a redirect to somewhere else: the message tells the new place."""
    log, view, request, act = prepare(site, write)
    place = "https://new.example.org/api/v1/contents"
    site.proxy.plan(request, Fault(status=status, headers={"Location": place}))
    with pytest.raises(RemoteRefused, match="it has moved to https://new"):
        act(log, view)
    judge(site, view)


@pytest.mark.parametrize("status", [403, 409, 422])
def test_a_no_in_unknown_words_is_read_back(site, status):
    """If somebody was quicker it is a lost race, else a plain no."""
    log, view, request, act = prepare(site, "begin")
    told = {"status": status, "body": b'{"message": "Nay"}'}
    site.proxy.plan(request, Fault(**told))
    with pytest.raises(RemoteRefused, match="Nay"):
        act(log, view)
    winner = begin(site.open_log(), view, 3)
    site.proxy.plan(request, Fault(**told))
    with pytest.raises(HeadMoved):
        act(log, view)
    judge(site, winner)
    assert is_own(winner, name_run(view, 3))


def test_the_answers_of_two_rivals_are_lost(site):
    """Both ask, nobody gets an answer: reading back tells the one that it won, the other not."""
    log, view, request, act = prepare(site, "begin")
    rival = site.open_log()
    site.proxy.plan(request, Fault(1))
    site.proxy.plan(request, Fault(1))
    winner = act(log, view)
    with pytest.raises(HeadMoved):
        begin(rival, view, 9)
    judge(site, winner)

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from entries import begin, make_lock, make_record, record
from memory_statelogs import MemoryStateLog, SharedBranch

from provisioning.core.model.errors import HeadMoved
from provisioning.core.model.ids import ResourceId
from provisioning.core.model.records import Result
from provisioning.core.statelog.entries import compute_hold, compute_release, compute_renewal
from provisioning.core.statelog.transitions import LogView
from provisioning.forges.gitea.api import GiteaApi
from provisioning.forges.gitea.contents import GiteaContents
from provisioning.gitstore.repository.git_program import run_git
from provisioning.gitstore.repository.remote import Remote
from provisioning.gitstore.repository.repository import Repository
from provisioning.gitstore.statelog.git_statelog import GitStateLog
from provisioning.gitstore.statelog.recorded import RecordChanges
from provisioning.locks.gitea_lock import ContentsStateLog


def make_repository(folder: Path) -> Path:
    run_git(folder, "init", "--quiet", "--bare")
    return folder


GITEA = pytest.param("gitea", marks=[pytest.mark.peer("gitea"), pytest.mark.xdist_group("gitea")])


@pytest.fixture(params=["memory", "local", "remote", GITEA])
def open_log(request, tmp_path):
    """Open one more view of the same log, as another process or machine would."""
    if request.param == "memory":
        branch = SharedBranch()
        return lambda: MemoryStateLog("web", branch)
    if request.param == "gitea":
        return open_gitea(request, tmp_path)
    shared = make_repository(tmp_path / "shared.git")
    if request.param == "local":
        return lambda: GitStateLog(Repository(shared), "web", remote=None, author="Ada")
    clones = iter(range(100))

    def open_clone():
        remote = Remote(f"file://{shared}", tmp_path / f"mirror-{next(clones)}.git")
        return GitStateLog(remote.mirror, "web", remote=remote, author="Ada")

    return open_clone


def open_gitea(request, folder):
    """A log whose lock is written by Gitea's API; results are pushed with the same token."""
    server = request.getfixturevalue("gitea")
    repository = server.create_repository()
    clones = iter(range(100))

    def open_clone():
        url = f"{server.url}/{repository}.git"
        remote = Remote(url, folder / f"mirror-{next(clones)}.git", token=server.token)
        api = GiteaApi(server.url, server.token)
        request.addfinalizer(api.close)
        return ContentsStateLog(
            remote.mirror,
            "web",
            remote=remote,
            author="Ada",
            contents=GiteaContents(api, repository),
        )

    return open_clone


@pytest.fixture
def log(open_log):
    return open_log()


def test_absent_log_is_empty(log):
    """A log that nobody wrote has no head, no records, no history, and the fence 0."""
    assert log.read() == LogView()
    assert log.read_records(LogView()) == {}
    assert list(log.read_history()) == []


def test_append_moves_the_head(log):
    """What append returns is what the next read returns: a lock, an intention, a fence."""
    held = begin(log, log.read())
    assert held == log.read()
    assert (held.fence, held.lock.run, held.begin.run) == (1, "1-000000", "1-000000")
    done = record(log, held)
    assert done == log.read()
    assert (done.fence, done.lock, done.begin, done.run.result) == (1, None, None, Result.DONE)


def test_hold_and_release(log):
    """A person's lock is taken and given back; the fence stays raised."""
    free = LogView()
    held = log.append(free, compute_hold(free, make_lock(free, None)))
    assert held.lock.holder.user == "ada"
    freed = log.append(held, compute_release(held, "ada"))
    assert (freed.lock, freed.fence) == (None, 1)
    assert log.read() == freed


def test_renewal_keeps_the_rest(log):
    """A renewal changes the lock and nothing else."""
    held = begin(log, log.read())
    renewed = log.append(held, compute_renewal(held.lock, held.begin, extended=False))
    assert renewed.head != held.head
    assert (renewed.lock, renewed.begin, renewed.fence) == (held.lock, held.begin, held.fence)


@pytest.mark.parametrize("stale", ["absent", "older"])
def test_stale_append_writes_nothing(open_log, stale):
    """An append on anything but the head is refused, and nobody sees a trace of it."""
    log, other = open_log(), open_log()
    view = LogView() if stale == "absent" else begin(log, LogView())
    head = begin(log, LogView()) if stale == "absent" else record(log, view)
    with pytest.raises(HeadMoved):
        other.append(view, compute_hold(view, make_lock(view, None)), {ResourceId("Value/a"): None})
    assert other.read() == log.read() == head
    assert log.read_records(head) == {}


def test_records_survive(open_log):
    """Records come back as they were, secrets and unknown values too, to every reader."""
    log = open_log()
    held = begin(log, log.read())
    records = {each.id: each for each in (make_record(f"Value/v{n}", n=n) for n in range(600))}
    done = record(log, held, records)
    assert log.read_records(done) == records
    other = open_log()
    assert other.read_records(other.read()) == records


def test_records_change_and_go(log):
    """A later entry replaces, removes and keeps; an earlier view still shows what was."""
    one, two, three = (make_record(f"Value/{name}") for name in ("one", "two", "three"))
    first = record(log, begin(log, log.read()), {each.id: each for each in (one, two, three)})
    newer = make_record("Value/two", n=2)
    second = record(log, begin(log, first), {one.id: None, two.id: newer})
    assert log.read_records(second) == {two.id: newer, three.id: three}
    assert log.read_records(first) == {each.id: each for each in (one, two, three)}


def test_records_are_read_one_by_one(open_log):
    """Each record is found by its id among many, and what is not recorded is not found."""
    log = open_log()
    records = {each.id: each for each in (make_record(f"Value/v{n}", n=n) for n in range(600))}
    opened = log.open_records(record(log, begin(log, log.read()), records))
    assert {name: opened.get(name) for name in records} == records == opened.read_all()
    assert opened.get(ResourceId("Value/other")) is None
    assert log.open_records(LogView()).get(ResourceId("Value/v1")) is None


def test_two_recorded_states_are_compared(log):
    """What differs is named, whoever was changed, added or removed; the same is the same."""
    one, two, three = (make_record(f"Value/{name}") for name in ("one", "two", "three"))
    nothing = log.open_records(LogView())
    first = record(log, begin(log, log.read()), {each.id: each for each in (one, two)})
    old = log.open_records(first)
    assert old.compute_changes(nothing.id) == RecordChanges(frozenset({one.id, two.id}), 2)
    changes = {one.id: None, two.id: make_record("Value/two", n=2), three.id: three}
    new = log.open_records(record(log, begin(log, first), changes))
    assert new.compute_changes(old.id) == RecordChanges(frozenset({one.id, two.id, three.id}), 0)
    assert nothing.compute_changes(old.id) == RecordChanges(frozenset({one.id, two.id}), -2)
    assert new.compute_changes(new.id) == RecordChanges(frozenset(), 0)
    held = log.open_records(begin(log, log.read()))
    assert held.compute_changes(new.id) == RecordChanges(frozenset(), 0)


def test_records_that_are_gone_cannot_be_compared(log):
    """Whoever remembers records that nobody has any more must read all of them."""
    done = record(log, begin(log, log.read()), {ResourceId("Value/a"): make_record("Value/a")})
    assert log.open_records(done).compute_changes("0" * 40) is None


def test_history_is_newest_first(log):
    """The history tells each entry's trailers, what it changed and the state after it."""
    done = record(log, begin(log, log.read()), {ResourceId("Value/a"): make_record("Value/a")})
    newest, oldest = log.read_history()
    assert newest.id == done.head
    assert newest.parents == (oldest.id,)
    assert oldest.parents == ()
    assert [each.trailers["Run-Id"] for each in (newest, oldest)] == ["1-000000"] * 2
    assert newest.trailers["Result"] == "done"
    assert newest.changed == {"lock.json", "begin.json", "run.json", "resources"}
    assert oldest.changed == {"lock.json", "begin.json", "fence"}
    assert newest.view == done
    assert [each.id for each in log.read_history(limit=1)] == [newest.id]


def test_others_see_what_was_written(open_log):
    """Two openings of one log see each other's entries, and go on from them."""
    log, other = open_log(), open_log()
    held = begin(log, log.read())
    assert other.read() == held
    done = record(other, other.read())
    assert log.read() == done


def contest(logs, view):
    """Let each log begin a run on *view* at once; return the winners' views and the rest."""
    barrier = threading.Barrier(len(logs))

    def try_begin(number, log):
        barrier.wait()
        try:
            return begin(log, view, number)
        except HeadMoved:
            return None

    with ThreadPoolExecutor(len(logs)) as pool:
        return [each for each in pool.map(try_begin, range(len(logs)), logs) if each]


@pytest.mark.parametrize("is_shared", [True, False], ids=["one instance", "many instances"])
def test_exactly_one_wins(open_log, is_shared):
    """Of several that append on one head at once exactly one wins, four times over."""
    logs = [open_log()] * 4 if is_shared else [open_log() for _ in range(4)]
    view = LogView()
    for _ in range(4):
        (winner,) = contest(logs, view)
        assert all(log.read() == winner for log in logs)
        view = record(logs[0], winner)

import msgspec
import pytest
from msgspec.structs import replace
from sandboxes import Sandbox, build_resource

from provisioning.core.model.ids import CommitId, RunId
from provisioning.core.model.records import Begin, Holder, Lock, LogSnapshot, Result, Run
from provisioning.core.statelog.entries import compute_hold, compute_release
from provisioning.core.statelog.fsck import LogCommit, _check, classify, compute_findings
from provisioning.core.statelog.transitions import EntryKind, LogView

HOLD = Lock(
    token=0, holder=Holder("ana", "here"), reason="audit", acquired_at="", renewed_at="", ttl=0
)


@pytest.fixture
def history(tmp_path):
    """A run, a hold, its release, and another run: oldest first."""
    box = Sandbox(tmp_path)
    box.reconcile(box.commits.commit(build_resource("Thing/a", {"size": 1})))
    view = box.log.read()
    view = box.log.append(view, compute_hold(view, msgspec.structs.replace(HOLD, token=2)))
    box.log.append(view, compute_release(view, "ana"))
    box.reconcile(box.commits.commit(build_resource("Thing/a", {"size": 2})))
    return list(box.log.read_history())[::-1]


def messages(history):
    return [finding.message for finding in compute_findings(reversed(history))]


def test_what_we_write_is_sound(history):
    """Every entry that a run or a person makes passes."""
    assert [each.subject.split()[0] for each in history] == [
        "begin",
        "done",
        "hold",
        "release",
        "begin",
        "done",
    ]
    assert messages(history) == []


def test_a_second_parent_is_found(history):
    """A merge is no entry: the log is linear."""
    commit = replace(history[2], parents=(*history[2].parents, CommitId("f" * 40)))
    assert any("not linear" in each for each in messages([*history[:2], commit, *history[3:]]))


def test_a_missing_commit_is_found(history):
    """Whoever cuts an entry out leaves a gap."""
    assert any("not linear" in each for each in messages([*history[:2], *history[3:]]))


def test_a_stale_record_is_found(history):
    """A record by a run that does not hold the lock is a stale write."""
    record = history[-1]
    stale = replace(record, trailers={**record.trailers, "Run-Id": "1-000000"})
    assert any("stale write" in each for each in messages([*history[:-1], stale]))


def test_a_fence_that_goes_back_is_found(history):
    """Tokens never decrease and never skip."""
    begin = history[4]
    for fence in (0, 2, 9):
        broken = replace(begin, view=replace(begin.view, fence=fence))
        assert messages([*history[:4], broken])


def test_a_file_that_an_entry_must_not_write_is_found(history):
    """A hold that changes resources is no hold."""
    broken = replace(history[2], changed=history[2].changed | {"resources"})
    assert any("must not write resources" in each for each in messages([*history[:2], broken]))


def test_a_begin_that_names_two_runs_is_found(history):
    """Lock, intention and trailer are one run's."""
    begin = history[0]
    other = msgspec.structs.replace(begin.view.begin, run=RunId("1-ffffff"))
    broken = replace(begin, view=replace(begin.view, begin=other))
    assert any("do not all name" in each for each in messages([broken]))


def test_damage_is_named_with_its_commit(history):
    """A file that cannot be read is a finding of the commit that wrote it."""
    broken = replace(history[1], damage="run.json cannot be read")
    findings = list(compute_findings([broken, history[0]]))
    assert [(each.commit, each.message) for each in findings] == [
        (history[1].id, "run.json cannot be read")
    ]


BEGUN = Begin(run=RunId("7-aaaaaa"), actor="", reason="", commit="", digest="", started_at="")
RUNS = msgspec.structs.replace(HOLD, run=BEGUN.run, token=7, ttl=9)
PERSONS = msgspec.structs.replace(HOLD, token=7)
ENDED = Run(
    run=BEGUN.run,
    actor="",
    reason="",
    commit="",
    digest="",
    result=Result.DONE,
    started_at="",
    finished_at="",
)
BEFORE, AFTER = CommitId("b" * 40), CommitId("a" * 40)


def view(head, fence=7, **more):
    return LogView(head=head, fence=fence, **more)


def entry(after, *changed, run=BEGUN.run, token="7", word="entry"):
    trailers = {"Run-Id": run, "Fencing-Token": token}
    return LogCommit(
        id=AFTER,
        parents=(BEFORE,),
        time=0,
        subject=word,
        trailers=trailers,
        changed=frozenset(changed),
        view=after,
    )


KINDS = {
    "a run records": (
        view(BEFORE, lock=RUNS, begin=BEGUN),
        entry(view(AFTER, run=ENDED), "lock.json", "begin.json", "run.json"),
        EntryKind.RECORD,
    ),
    "a run without a lock records": (
        view(BEFORE, begin=BEGUN),
        entry(view(AFTER, run=ENDED), "begin.json", "run.json"),
        EntryKind.RECORD,
    ),
    "a run begins": (
        view(BEFORE, 6),
        entry(view(AFTER, lock=RUNS, begin=BEGUN), "lock.json", "begin.json", "fence"),
        EntryKind.BEGIN,
    ),
    "a run without a lock begins": (
        view(BEFORE, 6),
        entry(view(AFTER, begin=BEGUN), "begin.json", "fence"),
        EntryKind.BEGIN,
    ),
    "a run steals": (
        view(BEFORE, 6, lock=PERSONS),
        entry(view(AFTER, lock=RUNS, begin=BEGUN), "lock.json", "begin.json", "fence"),
        EntryKind.STEAL,
    ),
    "a person steals": (
        view(BEFORE, 6, lock=RUNS, begin=BEGUN),
        entry(view(AFTER, lock=PERSONS, begin=BEGUN), "lock.json", "fence", run=None),
        EntryKind.STEAL,
    ),
    "a person holds": (
        view(BEFORE, 6),
        entry(view(AFTER, lock=PERSONS), "lock.json", "fence", run=None),
        EntryKind.HOLD,
    ),
    "a person releases": (
        view(BEFORE, lock=PERSONS),
        entry(view(AFTER), "lock.json", run=None),
        EntryKind.RELEASE,
    ),
    "a person suspends": (
        view(BEFORE, 6),
        entry(view(AFTER), "suspended.json", "fence", run=None, word="suspend"),
        EntryKind.SUSPEND,
    ),
    "a person suspends after a run that is dead": (
        view(BEFORE, 6, lock=RUNS, begin=BEGUN),
        entry(view(AFTER, begin=BEGUN), "suspended.json", "lock.json", "fence", word="suspend"),
        EntryKind.SUSPEND,
    ),
    "a person resumes": (
        view(BEFORE, 6),
        entry(view(AFTER), "suspended.json", "fence", run=None, word="resume"),
        EntryKind.RESUME,
    ),
    "a run renews": (
        view(BEFORE, lock=RUNS, begin=BEGUN),
        entry(view(AFTER, lock=RUNS, begin=BEGUN), "lock.json"),
        EntryKind.RENEW,
    ),
    "a run renews and intends more": (
        view(BEFORE, lock=RUNS, begin=BEGUN),
        entry(view(AFTER, lock=RUNS, begin=BEGUN), "lock.json", "begin.json"),
        EntryKind.RENEW,
    ),
    "a run without a lock intends more": (
        view(BEFORE, begin=BEGUN),
        entry(view(AFTER, begin=BEGUN), "begin.json"),
        EntryKind.RENEW,
    ),
}

SNAPSHOT = LogSnapshot(
    of=CommitId("f" * 40), entries=12, fence=7, until="", made_at="", by="ana", last=ENDED.run
)
KINDS |= {
    "a snapshot is taken": (
        view(BEFORE, 6, snapshot=SNAPSHOT),
        entry(view(AFTER, snapshot=SNAPSHOT), "fence", run=None),
        EntryKind.COMPACT,
    ),
    "a snapshot begins a log": (
        LogView(),
        replace(
            entry(view(AFTER, run=ENDED, snapshot=SNAPSHOT), "snapshot.json", "fence", "run.json"),
            parents=(),
            trailers={"Snapshot-Of": SNAPSHOT.of, "Fencing-Token": "7"},
        ),
        EntryKind.SNAPSHOT,
    ),
}


@pytest.mark.parametrize(("before", "commit", "kind"), KINDS.values(), ids=KINDS)
def test_each_kind_of_entry_is_known_and_sound(before, commit, kind):
    """The table in `core.statelog.transitions`, row by row, with and without a lock."""
    assert classify(before, commit) is kind
    assert list(_check(before, commit)) == []


NONE = {
    "a lock without a raised fence": (view(BEFORE), entry(view(AFTER, lock=PERSONS), "lock.json")),
    "a fence alone": (view(BEFORE, 6), entry(view(AFTER), "fence")),
    "nothing": (view(BEFORE, begin=BEGUN), entry(view(AFTER, begin=BEGUN))),
    "another file": (view(BEFORE, begin=BEGUN), entry(view(AFTER, begin=BEGUN), "x", "lock.json")),
    "a run's lock that just goes": (view(BEFORE, lock=RUNS), entry(view(AFTER), "lock.json")),
}


@pytest.mark.parametrize(("before", "commit"), NONE.values(), ids=NONE)
def test_what_is_no_entry_is_told(before, commit):
    """Whatever no row of the table allows is nobody's entry."""
    assert classify(before, commit) is None
    assert list(_check(before, commit)) == ["it is no entry of a state log: 'entry'"]


BROKEN = {
    "a snapshot of a run that is under way": (
        LogView(),
        entry(view(AFTER, begin=BEGUN, snapshot=SNAPSHOT), "snapshot.json"),
        "it stands for a run that was under way",
    ),
    "a snapshot that names another entry": (
        LogView(),
        entry(view(AFTER, snapshot=SNAPSHOT), "snapshot.json"),
        "its trailer does not name ffffffffff",
    ),
    "a snapshot of another fence": (
        LogView(),
        entry(view(AFTER, 8, snapshot=SNAPSHOT), "snapshot.json", token="8"),
        "the fence goes from 0 to 8; it should be 7",
    ),
    "a snapshot with an intention": (
        LogView(),
        entry(view(AFTER, snapshot=SNAPSHOT), "snapshot.json", "begin.json"),
        "a snapshot entry must not write begin.json",
    ),
    "a snapshot in the middle": (
        view(BEFORE),
        entry(view(AFTER, lock=PERSONS, snapshot=SNAPSHOT), "snapshot.json", "lock.json", "fence"),
        "it is no entry of a state log",
    ),
    "a record that keeps the lock": (
        view(BEFORE, lock=RUNS, begin=BEGUN),
        entry(view(AFTER, lock=RUNS, run=ENDED), "run.json"),
        "without releasing",
    ),
    "a record that keeps the intention": (
        view(BEFORE, lock=RUNS, begin=BEGUN),
        entry(view(AFTER, begin=BEGUN, run=ENDED), "run.json"),
        "without releasing",
    ),
    "a record out of nowhere": (
        view(BEFORE),
        entry(view(AFTER, run=ENDED), "run.json"),
        "the lock was not that of a run: a stale write",
    ),
    "a record of a run from whom somebody took the lock": (
        view(BEFORE, lock=PERSONS, begin=BEGUN),
        entry(view(AFTER, run=ENDED), "lock.json", "begin.json", "run.json"),
        "the lock was not that of a run: a stale write",
    ),
    "a record of another run": (
        view(BEFORE, begin=BEGUN),
        entry(view(AFTER, run=ENDED), "run.json", run="8-bbbbbb"),
        "the lock was that of run 7-aaaaaa: a stale write",
    ),
    "a record that tells of another run": (
        view(BEFORE, begin=BEGUN),
        entry(view(AFTER, run=msgspec.structs.replace(ENDED, run=RunId("6-cccccc"))), "run.json"),
        "run.json is not that of run 7-aaaaaa",
    ),
    "a record that tells of none": (
        view(BEFORE, begin=BEGUN),
        entry(view(AFTER), "run.json"),
        "run.json is not that of run 7-aaaaaa",
    ),
    "a renewal by another": (
        view(BEFORE, lock=RUNS, begin=BEGUN),
        entry(view(AFTER, lock=RUNS, begin=BEGUN), "lock.json", run="8-bbbbbb"),
        "renewed a lock that was not its own",
    ),
    "a token that is not the fence": (
        view(BEFORE, 7),
        entry(view(AFTER, 8, lock=PERSONS), "lock.json", "fence", token="8"),
        "the lock has token 7, and the fence is 8",
    ),
    "a trailer that is not the fence": (
        view(BEFORE, lock=PERSONS),
        entry(view(AFTER), "lock.json", token="6"),
        "says Fencing-Token 6, and the fence is 7",
    ),
    "a first entry with a parent": (
        LogView(),
        entry(view(AFTER, 1, lock=msgspec.structs.replace(HOLD, token=1)), "lock.json", token="1"),
        "its parents are bbbbbbbbbb, not none",
    ),
}


@pytest.mark.parametrize(("before", "commit", "told"), BROKEN.values(), ids=BROKEN)
def test_each_broken_rule_is_told(before, commit, told):
    """One rule broken, and the message that says which."""
    assert any(told in each for each in _check(before, commit))

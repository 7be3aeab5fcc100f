import json

import msgspec
import pytest
from memory_statelogs import MemoryStateLog, SharedBranch

from provisioning.core.model.errors import StateLogDamaged, TransitionRefused
from provisioning.core.model.ids import CommitId, ResourceId, RunId
from provisioning.core.model.records import (
    FORMAT,
    Action,
    Begin,
    Change,
    Holder,
    Intent,
    Lock,
    Outcome,
    Result,
    Run,
    Suspensions,
)
from provisioning.core.statelog.entries import (
    compute_begin,
    compute_hold,
    compute_record,
    compute_release,
    compute_renewal,
    compute_result,
    compute_suspension,
)
from provisioning.core.statelog.transitions import (
    EntryKind,
    LogEntry,
    LogState,
    LogView,
    build_run_id,
    check_transition,
    get_ref,
    is_own,
    next_token,
    parse_view,
    render_record,
)

HEAD = CommitId("a" * 40)
MINE, OTHER = RunId("7-aaaaaa"), RunId("8-bbbbbb")
PERSON = Lock(
    token=7,
    holder=Holder("ana", "here"),
    reason="audit\nof\tlogs",
    acquired_at="",
    renewed_at="",
    ttl=0,
)
RUNS = msgspec.structs.replace(PERSON, run=MINE, ttl=9)


def build_begin(*names, run=MINE, inherited=()):
    def intend(name, whose):
        return Intent(
            operation=1,
            id=ResourceId(name),
            action=Action.CREATE,
            kind="Thing",
            provider="memory",
            run=whose,
        )

    intents = [intend(each, run) for each in names] + [intend(each, OTHER) for each in inherited]
    return Begin(
        run=run,
        actor="ana",
        reason="why",
        commit=HEAD,
        digest="sha256:0",
        started_at="",
        intents=tuple(intents),
    )


def build_run(*outcomes):
    changes = tuple(
        Change(id=ResourceId(f"Thing/{number}"), action=Action.CREATE, outcome=each)
        for number, each in enumerate(outcomes)
    )
    return Run(
        run=MINE,
        actor="ana",
        reason="why",
        commit=HEAD,
        digest="sha256:0",
        result=Result.DONE,
        started_at="",
        finished_at="",
        changes=changes,
    )


@pytest.mark.parametrize(
    ("names", "inherited", "told"),
    [
        ((), (), "0 changes"),
        (("Thing/a",), (), "1 change by"),
        (("Thing/a", "Thing/a"), (), "1 change by"),
        (("Thing/a", "Thing/b"), (), "2 changes"),
        (("Thing/a",), ("Thing/b",), "1 change by"),
    ],
)
def test_a_begin_counts_its_own_changes(names, inherited, told):
    """A replacement is one change of two operations, and what is carried on is another run's."""
    entry = compute_begin(LogView(), RUNS, build_begin(*names, inherited=inherited))
    assert told in entry.subject
    assert entry.subject.startswith("begin run 7: ")
    assert entry.kind is EntryKind.BEGIN


@pytest.mark.parametrize(
    ("lock", "kind", "told"),
    [
        (None, EntryKind.BEGIN, "by ana"),
        (PERSON, EntryKind.STEAL, "by ana, taking over from ana's hold"),
        (msgspec.structs.replace(RUNS, run=OTHER), EntryKind.STEAL, "taking over from run 8"),
    ],
)
def test_a_begin_says_from_whom_it_takes_over(lock, kind, told):
    """Who stole from whom stands in the story."""
    entry = compute_begin(LogView(head=HEAD, fence=6, lock=lock), RUNS, build_begin())
    assert entry.kind is kind
    assert entry.subject.endswith(told)
    assert entry.trailers == {
        "Run-Id": MINE,
        "Desired-Commit": HEAD,
        "Plan-Digest": "sha256:0",
        "Fencing-Token": "7",
        "Actor": "ana",
    }


def test_a_backend_without_a_lock_writes_none_and_removes_one():
    """What somebody left of a lock goes; where there is none, nothing is written of it."""
    entry = compute_begin(LogView(head=HEAD, fence=6), None, build_begin())
    assert entry.files.keys() == {"begin.json", "fence"}
    assert entry.files["fence"] == b"7\n"
    entry = compute_begin(LogView(head=HEAD, fence=6, lock=PERSON), None, build_begin())
    assert entry.files["lock.json"] is None
    entry = compute_begin(LogView(), RUNS, build_begin())
    assert json.loads(entry.files["lock.json"])["run"] == MINE


@pytest.mark.parametrize(
    ("lock", "extended", "names"),
    [
        (RUNS, False, {"lock.json"}),
        (RUNS, True, {"lock.json", "begin.json"}),
        (None, True, {"begin.json"}),
        (None, False, set()),
    ],
)
def test_a_renewal_writes_what_is_new(lock, extended, names):
    """The lock if there is one, and the intention if it says more."""
    entry = compute_renewal(lock, build_begin(), extended=extended)
    assert entry.files.keys() == names
    assert None not in entry.files.values()
    assert (entry.kind, entry.subject) == (EntryKind.RENEW, "renew run 7")
    assert entry.trailers["Fencing-Token"] == "7"


@pytest.mark.parametrize(
    ("outcomes", "told"),
    [
        ((), "no changes"),
        ((Outcome.CREATED,), "1 created"),
        ((Outcome.CREATED, Outcome.FAILED, Outcome.CREATED), "2 created, 1 failed"),
    ],
)
def test_a_record_tells_what_became_of_the_run(outcomes, told):
    """The story is short, and releases what was held."""
    entry = compute_record(
        LogView(head=HEAD, lock=RUNS), build_run(*outcomes), {"resources/a": b"x"}
    )
    assert (entry.kind, entry.subject) == (EntryKind.RECORD, f"done run 7: {told}")
    assert {name for name, data in entry.files.items() if data is None} == {
        "lock.json",
        "begin.json",
    }
    assert entry.files["resources/a"] == b"x"
    assert entry.trailers["Result"] == "done"
    without = compute_record(LogView(head=HEAD), build_run(*outcomes), {})
    assert without.files.keys() == {"begin.json", "run.json"}


def test_a_hold_says_from_whom_and_why_on_one_line():
    """A reason of several lines is one in the story."""
    held = compute_hold(LogView(), PERSON)
    assert (held.kind, held.subject) == (EntryKind.HOLD, "hold 7 by ana: audit of logs")
    stolen = compute_hold(LogView(head=HEAD, fence=6, lock=RUNS), PERSON)
    assert stolen.kind is EntryKind.STEAL
    assert stolen.subject == "steal 7 by ana from run 7: audit of logs"
    assert stolen.files["fence"] == b"7\n"
    again = compute_hold(LogView(head=HEAD, fence=6, lock=PERSON), PERSON)
    assert "from ana's hold" in again.subject


def test_a_release_frees_the_lock_and_nothing_else():
    """The fence stays, and is repeated."""
    entry = compute_release(LogView(head=HEAD, fence=7, lock=PERSON), "eve")
    assert (entry.kind, entry.subject) == (EntryKind.RELEASE, "release 7 by eve")
    assert entry.files == {"lock.json": None}
    assert entry.trailers == {"Fencing-Token": "7", "Actor": "eve"}


def test_a_message_is_a_subject_and_trailers_that_git_reads():
    """Whatever a person wrote, each trailer is one line."""
    entry = compute_release(LogView(head=HEAD, fence=7), "eve\nResult: done")
    assert entry.message == (
        "release 7 by eve Result: done\n\nFencing-Token: 7\nActor: eve Result: done\n"
    )


def test_names():
    """A run is named by its token and what tells it from one that raced it."""
    assert next_token(LogView(fence=6)) == 7
    assert build_run_id(7, b"\xab\xcd\xef\x01") == "7-abcdef"
    assert get_ref("web") == "refs/heads/provisioning/web"


@pytest.mark.parametrize(
    ("lock", "begin", "fence", "is_mine"),
    [
        (RUNS, build_begin(), 7, True),
        (RUNS, build_begin(), 8, False),
        (msgspec.structs.replace(RUNS, run=OTHER), build_begin(), 7, False),
        (PERSON, build_begin(), 7, False),
        (None, build_begin(), 7, True),
        (None, build_begin(), 8, False),
        (None, build_begin(run=OTHER), 7, False),
        (None, None, 7, False),
    ],
)
def test_whose_turn_it_is(lock, begin, fence, is_mine):
    """P3: only whose lock it is, or whose intention where none is kept, under the same fence."""
    assert is_own(LogView(head=HEAD, fence=fence, lock=lock, begin=begin), MINE) is is_mine


@pytest.mark.parametrize(
    ("failed", "interrupted", "result"),
    [
        (False, False, Result.DONE),
        (True, False, Result.FAILED),
        (False, True, Result.INTERRUPTED),
        (True, True, Result.INTERRUPTED),
    ],
)
def test_how_a_run_ended(failed, interrupted, result):
    """Being stopped outweighs having failed: the rest was never tried."""
    assert compute_result(failed=failed, interrupted=interrupted) is result


@pytest.mark.parametrize("lock", [None, RUNS], ids=["free", "of a dead run"])
@pytest.mark.parametrize("suspended", [Suspensions(resumed={"Thing/a": 3}), Suspensions()])
def test_a_suspension_raises_the_fence_and_frees_the_lock(lock, suspended):
    """No run goes on that was planned before; where nothing is suspended, no file says so."""
    view = LogView(head=HEAD, fence=6, lock=lock)
    entry = compute_suspension(view, suspended, EntryKind.RESUME, "Thing/a\nand b", "ana")
    assert (entry.kind, entry.subject) == (EntryKind.RESUME, "resume 7 by ana: Thing/a and b")
    assert entry.trailers == {"Fencing-Token": "7", "Actor": "ana"}
    assert entry.files["fence"] == b"7\n"
    assert ("lock.json" in entry.files) is bool(lock)
    found = parse_view(HEAD, entry.files)
    assert found.suspended == suspended


FILES = {
    "fence": b"7\n",
    "lock.json": render_record(RUNS),
    "begin.json": render_record(build_begin()),
}


def test_what_was_written_is_read():
    """And an absent log is empty, whatever lies around."""
    view = parse_view(HEAD, FILES)
    assert (view.head, view.fence, view.lock, view.begin) == (HEAD, 7, RUNS, build_begin())
    assert view.run is None
    assert view.is_cut_off
    assert parse_view(None, FILES) == LogView()
    assert not LogView().is_cut_off
    assert render_record(None) is None


@pytest.mark.parametrize(
    ("begin", "settled"),
    [
        (None, True),
        (build_begin(), True),
        (build_begin("Thing/a"), False),
        (build_begin(inherited=["Thing/a"]), False),
    ],
    ids=["no run", "in the log alone", "in the world", "of a run before"],
)
def test_only_what_meant_to_change_the_world_leaves_it_unsettled(begin, settled):
    """A run that put the log straight and was cut off has left nothing to find out."""
    assert LogView(begin=begin).is_settled is settled


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"fence": b"seven"}, "fence of the state log cannot be read: it is not a number"),
        ({"fence": b"7" * 19}, "it is not a number"),
        ({"fence": None}, "it is not a number"),
        ({"fence": b"7", "lock.json": b"{"}, "lock.json of the state log cannot be read"),
        ({"fence": b"7", "run.json": b"\xff"}, "run.json of the state log cannot be read"),
    ],
)
def test_damage_is_named_by_its_file(files, told):
    """And the hint names what finds out who did it."""
    with pytest.raises(StateLogDamaged, match=told) as caught:
        parse_view(HEAD, files)
    assert "fsck" in caught.value.hint


@pytest.mark.parametrize("more", [b"", b', "run": {"of": "another shape"}'])
def test_a_newer_format_is_no_damage(more):
    """An old release names the one that reads the file, whatever else is in it."""
    newer = b'{"format": 3, "needs": "0.9.0"' + more + b"}"
    with pytest.raises(StateLogDamaged, match="has format 3, and this release knows 2") as caught:
        parse_view(HEAD, {"fence": b"7", "begin.json": newer})
    assert "provisioning 0.9.0 or newer" in str(caught.value)
    assert "upgrade" in caught.value.hint


def test_every_file_names_its_format():
    """The first release without `@location` would do harm, so it must refuse each file."""
    written = render_record(build_begin())
    assert json.loads(written)["format"] == FORMAT == 2
    assert parse_view(HEAD, {"fence": b"7", "begin.json": written}).begin == build_begin()


def test_a_file_without_a_format_is_of_the_first():
    """Old logs are read."""
    begin = build_begin()
    written = msgspec.json.encode(begin)
    assert parse_view(HEAD, {"fence": b"7", "begin.json": written}).begin == begin


STATES = {
    LogState.ABSENT: LogView(),
    LogState.FREE: LogView(head=HEAD, fence=6),
    LogState.BEGUN: LogView(head=HEAD, fence=6, begin=build_begin(run=OTHER)),
    LogState.RUN: LogView(head=HEAD, fence=6, lock=RUNS, begin=build_begin()),
    LogState.PERSON: LogView(head=HEAD, fence=6, lock=PERSON),
}

WRITTEN = {
    EntryKind.BEGIN: {"begin.json": render_record(build_begin()), "fence": b"7"},
    EntryKind.STEAL: {"lock.json": render_record(PERSON), "fence": b"7"},
    EntryKind.RENEW: {"begin.json": render_record(build_begin())},
    EntryKind.RECORD: {"lock.json": None, "begin.json": None, "run.json": b"", "resources/a": b""},
    EntryKind.HOLD: {"lock.json": render_record(PERSON), "fence": b"7"},
    EntryKind.RELEASE: {"lock.json": None},
    EntryKind.SUSPEND: {"lock.json": None, "suspended.json": b"", "fence": b"7"},
    EntryKind.RESUME: {"lock.json": None, "suspended.json": None, "fence": b"7"},
    EntryKind.COMPACT: {"fence": b"7"},
    EntryKind.SNAPSHOT: {"snapshot.json": b""},
}

FOLLOWS = {
    LogState.ABSENT: {"begin", "hold", "suspend", "resume", "snapshot"},
    LogState.FREE: {"begin", "hold", "suspend", "resume", "compact"},
    LogState.BEGUN: {"begin", "renew", "record", "hold", "suspend", "resume"},
    LogState.RUN: {"steal", "renew", "record", "suspend", "resume"},
    LogState.PERSON: {"steal", "release", "suspend", "resume"},
}


@pytest.mark.parametrize("kind", EntryKind)
@pytest.mark.parametrize("state", LogState)
def test_only_what_the_table_allows_may_follow(state, kind):
    """Every pair of a state and an entry, as people would say it."""
    view = STATES[state]
    assert view.state is state
    entry = LogEntry(kind=kind, subject="x", trailers={}, files=WRITTEN[kind])
    if kind in FOLLOWS[state]:
        check_transition(view, entry)
        return
    with pytest.raises(TransitionRefused, match=f"cannot follow a log that is {state}"):
        check_transition(view, entry)


@pytest.mark.parametrize(
    ("kind", "state", "files", "told"),
    [
        (EntryKind.HOLD, LogState.FREE, {"run.json": b""}, "cannot write run.json"),
        (EntryKind.BEGIN, LogState.FREE, {"fence": b"7", "begin.json": None}, "cannot leave"),
        (EntryKind.RELEASE, LogState.PERSON, {"lock.json": render_record(RUNS)}, "that is run"),
    ],
)
def test_what_an_entry_writes_is_checked(kind, state, files, told):
    """A row is its files and the state that it leaves, too."""
    entry = LogEntry(kind=kind, subject="x", trailers={}, files={**WRITTEN[kind], **files})
    with pytest.raises(TransitionRefused, match=told):
        check_transition(STATES[state], entry)


def test_whoever_takes_the_lock_raises_the_fence():
    """Without that, whoever had it before would not notice."""
    files = {"lock.json": render_record(PERSON)}
    entry = LogEntry(kind=EntryKind.HOLD, subject="x", trailers={}, files=files)
    with pytest.raises(TransitionRefused, match="must raise the fence"):
        check_transition(STATES[LogState.FREE], entry)


def test_a_refused_entry_changes_nothing():
    """The writer asks the table before it writes."""
    log = MemoryStateLog("web", SharedBranch())
    view = log.append(
        log.read(), compute_hold(log.read(), msgspec.structs.replace(PERSON, token=1))
    )
    with pytest.raises(TransitionRefused):
        log.append(view, compute_record(view, build_run(), {}))
    assert log.read() == view

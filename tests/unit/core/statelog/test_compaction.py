"""Where a state log may be cut."""

import msgspec
import pytest
from msgspec.structs import replace

from provisioning.core.model.records import Begin, Holder, Lock, LogSnapshot, Result, Run
from provisioning.core.statelog.compaction import Survey
from provisioning.core.statelog.fsck import LogCommit
from provisioning.core.statelog.transitions import LogView

LOCK = Lock(token=1, holder=Holder("ana", "here"), reason="", acquired_at="", renewed_at="", ttl=9)


def run(number, result=Result.DONE):
    return Run(
        run=f"{number}-aaaaaa",
        actor="",
        reason="",
        commit="",
        digest="",
        result=result,
        started_at="",
        finished_at="",
    )


def begin(number):
    return Begin(run=f"{number}-aaaaaa", actor="", reason="", commit="", digest="", started_at="")


def write_log(runs):
    """Return the entries of *runs*, newest first: run n began at 10 n and ended at 10 n + 5."""
    entries, last = [], None
    for ended in runs:
        number = int(ended.number)
        views = [
            (LogView(fence=number, lock=LOCK, begin=begin(number), run=last), {"begin.json"}),
            (LogView(fence=number, run=ended), {"run.json", "begin.json"}),
        ]
        for view, changed in views:
            name = f"{len(entries):040x}"
            entries.append(
                LogCommit(
                    id=name,
                    parents=(entries[-1].id,) if entries else (),
                    time=10 * number + 5 * ("run.json" in changed),
                    subject="",
                    trailers={},
                    changed=frozenset(changed),
                    view=replace(view, head=name),
                )
            )
        last = ended
    return entries[::-1]


def survey(entries, before):
    made = Survey(before)
    assert list(made.watch(entries)) == entries
    return made


def find_cut(entries, before):
    made = survey(entries, before)
    return made.cut and made.cut.view.fence, len(made.kept), made.entries


@pytest.mark.parametrize(
    ("before", "found"),
    [(14, (None, 8, 0)), (15, (1, 6, 2)), (34, (2, 4, 4)), (99, (3, 2, 6))],
)
def test_it_is_cut_where_a_run_had_ended(before, found):
    """Never within a run, and the last run stays as it is."""
    assert find_cut(write_log(map(run, (1, 2, 3, 4))), before) == found


def test_it_is_not_cut_after_a_failure():
    """What was reviewed is looked up from the last run that succeeded on."""
    runs = [run(1), run(2, Result.FAILED), run(3, Result.INTERRUPTED), run(4)]
    assert find_cut(write_log(runs), 99) == (1, 6, 2)


def test_it_is_not_cut_while_somebody_holds_the_lock():
    """A hold that is kept would lose its beginning."""
    entries = write_log(map(run, (1, 2, 3)))
    entries[2] = replace(entries[2], view=replace(entries[2].view, lock=LOCK))
    assert find_cut(entries, 99) == (1, 4, 2)


def test_one_entry_is_no_gain():
    """A snapshot is not replaced by one that says the same."""
    snapshot = build_snapshot(1)
    entries = write_log(map(run, (1, 2)))[:3]
    view = replace(entries[-1].view, snapshot=snapshot)
    entries[-1] = replace(entries[-1], parents=(), view=view)
    assert survey(entries, 99).cut is None


def build_snapshot(last):
    return LogSnapshot(
        of="f" * 40,
        entries=100,
        fence=last,
        until="",
        made_at="",
        by="ana",
        first="1-bbbbbb",
        last=f"{last}-bbbbbb",
    )


def test_a_snapshot_stands_for_an_earlier_one_too():
    """It tells of all runs that ever were, and counts what the earlier one counted."""
    entries = write_log(map(run, (7, 8, 9)))[:5]
    root = entries[-1]
    view = replace(root.view, snapshot=build_snapshot(7))
    entries[-1] = replace(root, parents=(), view=view)
    made = survey(entries, 99)
    assert (made.cut.view.fence, made.entries) == (8, 102)
    snapshot = made.build_snapshot(until="then", made_at="now", by="ben")
    assert snapshot == msgspec.structs.replace(
        build_snapshot(8),
        of=made.cut.id,
        entries=102,
        last="8-aaaaaa",
        until="then",
        made_at="now",
        by="ben",
    )
    assert snapshot.story == "runs 1 to 8, 102 entries until then"


def test_one_run_and_none_are_told_as_such():
    """A log of holds alone has no runs."""
    snapshot = build_snapshot(1)
    assert snapshot.story.startswith("run 1, 100 entries")
    none = msgspec.structs.replace(snapshot, first=None, last=None)
    assert none.story.startswith("100 entries")


def test_what_a_slow_clock_wrote_takes_nothing_younger_with_it():
    """Machines' clocks differ; an entry goes only if all before it are old, too."""
    entries = write_log(map(run, (1, 2, 3, 4)))
    late = [*entries[:2], *(replace(each, time=1) for each in entries[2:4]), *entries[4:]]
    assert find_cut(late, 20) == (1, 6, 2)
    assert survey(late, 20).until == 15
    assert find_cut(late, 4) == (None, 8, 0)
    assert survey(late, 99).until == 25

from dataclasses import replace

import msgspec
import pytest

from provisioning.core.fsck import compute_findings
from provisioning.core.ids import CommitId, RunId
from provisioning.core.records import Holder, Lock
from provisioning.core.statelog import compute_hold, compute_release
from provisioning.testing.sandboxes import Sandbox, build_resource

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
    return [finding.message for finding in compute_findings(history)]


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
    findings = list(compute_findings([history[0], broken]))
    assert [(each.commit, each.message) for each in findings] == [
        (history[1].id, "run.json cannot be read")
    ]

"""Stored reviews, on a branch that others may write."""

import subprocess

import pytest

from provisioning.core.model.ids import CommitId
from provisioning.core.policy.review_records import (
    ALL,
    NOTHING,
    REVIEW,
    ReviewRecord,
    get_review_ref,
)
from provisioning.gitstore.branches.review_log import ReviewLog
from provisioning.gitstore.repository.remote import Remote

HEAD = CommitId("a" * 40)
REF = get_review_ref(7)


@pytest.fixture
def remote(tmp_path):
    hosted = tmp_path / "shop.git"
    subprocess.run(["git", "init", "--quiet", "--bare", hosted], check=True)
    return Remote(str(hosted), tmp_path / "mirror")


@pytest.fixture
def log(remote):
    return ReviewLog(remote, "tester <tester@example.org>", lambda: b"key")


def append(log, **fields):
    log.append(ReviewRecord(pull=7, head=HEAD, **fields), {"web": "plan"}, "review")


def push(remote, data):
    """Write the branch as somebody who has no key."""
    old = remote.mirror.read_ref(REF)
    new = remote.mirror.write_commit(old, {REVIEW: data}, "mine\n", "eve <eve@example.org>", 1.0)
    remote.push(REF, new, old)


def read_file(remote, back=0):
    commit = remote.mirror.read_ref(REF)
    for _ in range(back):
        (commit,) = remote.mirror.read_commit(commit).parents
    return remote.mirror.read_file(commit, REVIEW)


def test_what_was_signed_is_read(log):
    """The newest one counts."""
    assert log.read(7) is None
    append(log, answered=3)
    append(log, answered=4)
    assert log.read(7) == ReviewRecord(pull=7, head=HEAD, answered=4)


def test_what_somebody_else_wrote_counts_for_nothing(log, remote):
    """The signed one before it is read, and the next one goes on top."""
    append(log, answered=4)
    signed = read_file(remote)
    for forged in (b"{}", b"[", signed.replace(b"4", b"0"), b"\xff"):
        push(remote, forged)
        assert log.read(7).answered == 4
    append(log, answered=5)
    assert log.read(7).answered == 5


def test_an_old_record_is_not_signed_for_a_new_place(log, remote):
    """To push it again takes no command and no approval back."""
    append(log, answered=3)
    append(log, answered=4)
    push(remote, read_file(remote, back=1))
    assert log.read(7).answered == 4


def test_without_a_signed_one_nothing_was_shown(log, remote):
    """No plan counts as reviewed, and no comment that is there is a command."""
    push(remote, b"{}")
    assert log.read(7) == ReviewRecord(pull=7, head=NOTHING, answered=ALL)


def test_another_key_is_nobody_s(log, remote):
    """Whoever has no key reads that nothing was shown."""
    append(log, answered=4)
    other = ReviewLog(remote, "tester <tester@example.org>", lambda: b"other")
    assert other.read(7).head == NOTHING

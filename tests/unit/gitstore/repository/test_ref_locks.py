import fcntl
import os
import threading

import pytest

from provisioning.core.model.errors import StorageFailed
from provisioning.core.statelog.transitions import OURS
from provisioning.gitstore.repository import ref_locks
from provisioning.gitstore.repository.git_program import run_git
from provisioning.gitstore.repository.ref_locks import CLAIM, LockWatch, claim, find_shared
from provisioning.gitstore.repository.repository import Repository

REF = f"{OURS}web"


@pytest.fixture
def folder(tmp_path):
    run_git(tmp_path / "r", "init", "--quiet", "--bare")
    return tmp_path / "r"


def write_commit(repository, text=b"1\n"):
    return repository.write_commit(None, {"fence": text}, "begin", "Ana", 1.0)


def test_a_lock_left_by_a_git_that_was_killed_is_cleared_away(folder):
    """P2: Git itself would ask the user to remove the file; we know that nobody holds it."""
    repository = Repository(folder)
    commit = write_commit(repository)
    lock = folder / f"{REF}.lock"
    lock.parent.mkdir(parents=True)
    lock.write_text("", encoding="utf-8")
    repository.update_ref(REF, commit, None)
    assert repository.read_ref(REF) == commit
    assert not lock.exists()


def test_a_lock_that_changes_hands_is_left_alone(tmp_path):
    """Two tries that met two writers prove nothing about either."""
    watch, lock = LockWatch(tmp_path), tmp_path / "web.lock"
    error = f"fatal: Unable to create '{lock}': File exists."
    lock.write_text("one", encoding="utf-8")
    assert watch.is_blocked(error)
    lock.rename(tmp_path / "other")
    lock.write_text("two", encoding="utf-8")
    assert watch.is_blocked(error)
    assert lock.exists()
    assert watch.is_blocked(error)
    assert not lock.exists()


def test_only_locks_of_our_own_branches_are_removed(tmp_path):
    """P4: the user's index.lock stays, however long it stands there."""
    lock = tmp_path / "index.lock"
    lock.write_text("", encoding="utf-8")
    watch = LockWatch(tmp_path / "refs/heads/provisioning")
    for _ in range(3):
        assert not watch.is_blocked(f"fatal: Unable to create '{lock}': File exists.")
    assert lock.exists()


def test_an_error_that_is_about_no_lock_is_not_tried_again(tmp_path):
    """What another try cannot cure is reported at once."""
    assert not LockWatch(tmp_path).is_blocked("fatal: not a git repository")


def test_writers_wait_for_each_other(folder):
    """Of two threads that write, one at a time is within the claim."""
    inside, seen = [], []

    def write():
        with claim(folder):
            inside.append(1)
            seen.append(len(inside))
            inside.pop()

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [1] * 8


def test_a_writer_that_hangs_is_named_and_not_waited_for_for_ever(folder, monkeypatch):
    """P9: the message says where to look."""
    monkeypatch.setattr(ref_locks, "CLAIM_TIMEOUT", 0.0)
    handle = os.open(folder / CLAIM, os.O_RDWR | os.O_CREAT)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(StorageFailed, match="another process") as caught, claim(folder):
        pass
    os.close(handle)
    assert "fuser" in caught.value.hint


def test_the_refs_of_a_linked_work_tree_are_those_of_its_repository(tmp_path):
    """A claim taken in any work tree is the same claim."""
    (tmp_path / "r/worktrees/w").mkdir(parents=True)
    (tmp_path / "r/worktrees/w/commondir").write_text("../..\n", encoding="utf-8")
    assert find_shared(tmp_path / "r/worktrees/w") == find_shared(tmp_path / "r")

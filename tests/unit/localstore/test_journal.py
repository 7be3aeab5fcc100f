import errno
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from provisioning.core.model.errors import StorageFailed
from provisioning.core.model.ids import ResourceId, RunId
from provisioning.core.model.records import Action, Holder, Intent, Lock
from provisioning.localstore.journal import (
    Journal,
    JournalDamaged,
    list_journals,
    read_unfinished,
    remove_journals,
)
from provisioning.localstore.lock_observations import observe_lock

RUN = RunId("7-abcdef")


def build_intent(number, action=Action.CREATE, **attributes):
    return Intent(
        operation=number,
        id=ResourceId(f"File/f{number}"),
        action=action,
        kind="File",
        provider="local",
        run=RUN,
        attributes=attributes,
    )


@pytest.fixture
def folder(tmp_path):
    journal = Journal(tmp_path / "web", RUN)
    journal.begin(build_intent(1, path="a"))
    journal.end(1, {"size": 3})
    journal.begin(build_intent(2, path="b"))
    journal.begin(build_intent(3, action=Action.UPDATE))
    journal.close()
    return tmp_path / "web"


def test_creations_are_found_with_all_that_is_known(folder):
    """Where to look, and what was answered; what changes something recorded needs no hint."""
    found = read_unfinished(list_journals(folder))
    assert [(each.id, each.attributes) for each in found] == [
        ("File/f1", {"path": "a", "size": 3}),
        ("File/f2", {"path": "b"}),
    ]


@pytest.mark.parametrize("torn", [b'{"entry":"beg', b"\x00\x00", b"{"])
def test_the_torn_end_of_the_last_write_is_nothing(folder, torn):
    """A machine that lost power in the middle of a line loses that line only."""
    (path,) = list_journals(folder)
    path.write_bytes(path.read_bytes() + torn)
    assert len(read_unfinished([path])) == 2


def test_a_damaged_line_is_named(folder):
    """The error says which line of which file, and that it can be moved away."""
    (path,) = list_journals(folder)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"garbage\n" + b"".join(lines[1:]))
    with pytest.raises(JournalDamaged) as caught:
        read_unfinished([path])
    assert str(caught.value.source) == f"{path}:2"
    assert "move" in caught.value.hint


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path):
    """Nothing is begun that cannot be written down."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageFailed, match="cannot be written"):
        Journal(tmp_path / "file" / "web", RUN)


def test_what_is_recorded_leaves_no_journal(folder):
    """Removing is idempotent."""
    paths = list_journals(folder)
    remove_journals(paths)
    remove_journals(paths)
    assert list_journals(folder) == []
    assert list_journals(folder / "nowhere") == []


def test_a_lock_counts_from_when_this_very_record_was_seen(tmp_path):
    """A renewed record, or another boot, begins to count anew; garbage in the file too."""
    path = tmp_path / "locks" / "web.json"
    lock = Lock(token=1, holder=Holder("a", "b"), reason="", acquired_at="", renewed_at="1", ttl=9)
    renewed = Lock(
        token=1, holder=Holder("a", "b"), reason="", acquired_at="", renewed_at="2", ttl=9
    )
    assert observe_lock(path, lock, "boot") == 0
    assert observe_lock(path, lock, "boot") > 0
    assert observe_lock(path, renewed, "boot") == 0
    assert observe_lock(path, renewed, "another boot") == 0
    path.write_text("garbage")
    assert observe_lock(path, renewed, "another boot") == 0


class Disk:
    """Stands for the disk: what was forced to it when, and by how many calls."""

    def __init__(self, monkeypatch, gate=None):
        self.forced, self.calls = 0, 0
        self.fails, self._gate = False, gate
        self._force = os.fdatasync
        monkeypatch.setattr(os, "fdatasync", self.force)

    def force(self, handle):
        self.calls += 1
        if self._gate:
            self._gate.wait(10)
        if self.fails:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        size = os.fstat(handle).st_size
        self._force(handle)
        self.forced = max(self.forced, size)


def test_one_force_to_disk_serves_many_threads_and_each_waits_for_it(tmp_path, monkeypatch):
    """P2: whoever may go on has its entry on disk, and ten threads need no ten forces."""
    gate = threading.Event()
    disk = Disk(monkeypatch, gate)
    journal = Journal(tmp_path / "web", RUN)

    def begin(number):
        journal.begin(build_intent(number))
        return disk.forced

    with ThreadPoolExecutor(10) as pool:
        begun = [pool.submit(begin, number) for number in range(10)]
        while journal.path.read_bytes().count(b"\n") < 10:
            threading.Event().wait(0.001)
        assert not any(each.done() for each in begun)
        gate.set()
        forced = [each.result(10) for each in begun]
    lines = journal.path.read_bytes().splitlines(keepends=True)
    for number, size in enumerate(forced):
        place = next(n for n, line in enumerate(lines) if b'"operation":%d,' % number in line)
        assert size >= sum(map(len, lines[: place + 1]))
    assert disk.calls == 2


def test_a_force_that_failed_lets_nobody_go_on(tmp_path, monkeypatch):
    """P2: the kernel tells a failed force once; every entry since counts as lost."""
    disk = Disk(monkeypatch)
    journal = Journal(tmp_path / "web", RUN)
    journal.begin(build_intent(1))
    disk.fails = True
    with pytest.raises(StorageFailed):
        journal.begin(build_intent(2))
    disk.fails = False
    with pytest.raises(StorageFailed):
        journal.begin(build_intent(3))


def test_a_line_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    """A disk that takes half a line, and then room again, leaves no damaged line behind."""
    journal = Journal(tmp_path / "web", RUN)
    journal.begin(build_intent(1))
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: write(handle, data[:9]))
    with pytest.raises(StorageFailed):
        journal.begin(build_intent(2))
    monkeypatch.setattr(os, "write", write)
    journal.end(1, {"size": 3})
    assert [each.attributes for each in read_unfinished([journal.path])] == [{"size": 3}]

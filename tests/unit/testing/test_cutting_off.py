import os
import threading

import pytest

from provisioning.testing import Crash, PatchPoint, cut_at, trace_effects


class Disk:
    def __init__(self):
        self.lines = []

    def write(self, line):
        self.lines.append(line)
        return len(self.lines)

    def fail(self):
        raise OSError("disk full")

    @staticmethod
    def flush():
        return "flushed"

    @classmethod
    def open(cls):
        return cls()


@pytest.fixture
def disk():
    return Disk()


def write_three(disk):
    for line in "abc":
        disk.write(line)


def test_trace_lists_effects(disk):
    """Without a cut every effect is listed in order, answers come through, nothing changes."""
    with trace_effects([PatchPoint(disk, "write", "write")]) as trace:
        assert disk.write("a") == 1
        write_three(disk)
    assert trace.effects == ["write"] * 4
    assert not trace.is_cut
    assert disk.lines == list("aabc")


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("when", ["before", "after"])
def test_cut_is_exact(number, when, disk):
    """A cut before effect n leaves n-1 effects, one after it leaves n."""
    with cut_at(number, [PatchPoint(disk, "write", "write")], when=when) as trace:
        write_three(disk)
    assert trace.is_cut
    assert len(disk.lines) == number - (when == "before")
    assert len(trace.effects) == number


def test_run_shorter_than_the_cut_ends_well(disk):
    """A cut that is never reached says so: the crash test's loop is over."""
    with cut_at(4, [PatchPoint(disk, "write", "write")], when="before") as trace:
        write_three(disk)
    assert not trace.is_cut


def test_the_dead_write_nothing(disk):
    """What `finally` blocks and other threads try after the cut has no effect either."""

    def clean_up():
        with pytest.raises(Crash):
            disk.write("from a thread")

    with cut_at(1, [PatchPoint(disk, "write", "write")], when="after") as trace:
        try:
            disk.write("first")
        finally:
            thread = threading.Thread(target=clean_up)
            thread.start()
            thread.join()
            disk.write("from a finally block")
    assert trace.is_cut
    assert disk.lines == ["first"]


def test_patches_are_taken_back(disk):
    """After the block, cut or not, every function is the very one it was."""
    originals = os.replace, Disk.__dict__["write"], Disk.__dict__["flush"], Disk.__dict__["open"]
    points = [PatchPoint(os, "replace", "rename")]
    points += [PatchPoint(Disk, name, name) for name in ("write", "flush", "open")]
    with cut_at(1, points, when="before"):
        disk.write("x")
    now = os.replace, Disk.__dict__["write"], Disk.__dict__["flush"], Disk.__dict__["open"]
    assert now == originals
    with pytest.raises(AttributeError), trace_effects([*points, PatchPoint(os, "nothing", "x")]):
        pass
    assert os.replace is originals[0]


def test_methods_of_a_class_are_traced():
    """A class's methods of every sort are traced for all of its instances."""
    points = [PatchPoint(Disk, name, name) for name in ("write", "flush", "open")]
    with trace_effects(points) as trace:
        disk = Disk.open()
        disk.write("a")
        assert disk.flush() == Disk.flush() == "flushed"
    assert trace.effects == ["open", "write", "flush", "flush"]
    assert disk.lines == ["a"]


def test_real_effects_are_traced(tmp_path):
    """Functions of the operating system can be cut before and after."""
    (tmp_path / "a").write_text("x")
    points = [PatchPoint(os, "replace", "rename"), PatchPoint(os, "unlink", "unlink")]
    with cut_at(2, points, when="before") as trace:
        (tmp_path / "a").replace(tmp_path / "b")
        (tmp_path / "b").unlink()
    assert trace.effects == ["rename", "unlink"]
    assert (tmp_path / "b").exists()


def test_other_errors_pass(disk):
    """An error of the run itself is not swallowed, and a failed effect counts as one."""
    point = PatchPoint(disk, "fail", "fail")
    with pytest.raises(OSError, match="full"), trace_effects([point]) as trace:
        disk.fail()
    assert trace.effects == ["fail"]
    with cut_at(1, [point], when="after") as trace:
        disk.fail()
    assert trace.is_cut


def test_crash_of_someone_else_passes(disk):
    """A block swallows no crash but its own."""
    with pytest.raises(Crash), trace_effects([PatchPoint(disk, "write", "write")]):
        raise Crash("another")

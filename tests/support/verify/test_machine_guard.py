"""A test that changes the machine fails the run, which says what changed."""

import os
import time
from pathlib import Path

import machine_guard
import pytest

LEAVES_A_PROCESS = """
import os, subprocess

def test_it():
    subprocess.Popen(["sleep", "613"], start_new_session=True)

def test_it_without_an_environment(tmp_path):
    subprocess.Popen(["/bin/sleep", "614"], env={}, cwd=tmp_path, start_new_session=True)
"""

CHANGES_THE_HOME = """
import pathlib

HOME = pathlib.Path.home()

def test_it():
    (HOME / ".gitconfig").write_text("[user]\\nname = eve\\n")
    (HOME / "left").touch()
    (HOME / ".bash_history").touch()
"""


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one process", "workers"])
def test_processes_that_are_left_fail_the_run(run_nested, workers):
    """They are named and ended, whatever environment they were given."""
    code, told = run_nested(LEAVES_A_PROCESS, *workers, PYTEST_PATIENCE="0.2")
    assert code == 1, told
    section = told.partition("Changed on this machine by a test")[2]
    assert "was left running: sleep 613" in section
    assert "was left running: /bin/sleep 614" in section
    assert ("gw" in section) == bool(workers)
    assert find_sleeps("613", "614") == []


def test_the_users_files_are_as_they_were(run_nested, tmp_path):
    """What other programs write into a home is not held against a test."""
    home = tmp_path / "home"
    home.mkdir()
    code, told = run_nested(CHANGES_THE_HOME, HOME=str(home))
    assert code == 1, told
    section = told.partition("Changed on this machine by a test")[2]
    assert f"file {home}/.gitconfig: was missing, is content" in section
    assert f"name {home}/left: was missing, is present" in section
    assert "history" not in section


def test_a_run_that_changes_nothing_says_nothing(run_nested):
    """And passes."""
    code, told = run_nested("def test_it(tmp_path):\n    (tmp_path / 'a').touch()\n")
    assert code == 0, told
    assert "Changed" not in told


def test_a_device_that_became_a_file_is_found(tmp_path, monkeypatch):
    """As `/dev/null` once did: Git replaces its configuration by renaming a new file."""
    device = tmp_path / "null"
    device.symlink_to("/dev/null")
    monkeypatch.setattr(machine_guard, "DEVICES", (device,))
    before = dict(machine_guard.list_devices())
    device.unlink()
    assert machine_guard.compare(before, dict(machine_guard.list_devices())) == [
        f"device {device}: was {before[f'device {device}']}, is missing"
    ]
    device.touch()
    (told,) = machine_guard.compare(before, dict(machine_guard.list_devices()))
    assert "is -rw" in told


def test_the_devices_of_this_machine_are_devices():
    """All that is looked at is a character device, and `/dev/null` is 1:3."""
    told = dict(machine_guard.list_devices())
    assert all(each.startswith("c") for each in told.values())
    assert " 1:3 " in told["device /dev/null"]
    assert Path(os.devnull).is_char_device()


def test_users_and_mounts_are_looked_at(monkeypatch, tmp_path):
    """A user more and a mount more are differences."""
    users = tmp_path / "passwd"
    users.write_text("root\n")
    monkeypatch.setattr(machine_guard, "FILES", (users,))
    before = machine_guard.take_snapshot()
    users.write_text("root\neve\n")
    (told,) = machine_guard.compare(before, machine_guard.take_snapshot())
    assert told.startswith(f"file {users}: was content ")
    assert "mount /" in before
    for place, counts in (("/x", True), (tmp_path / "x", True), (tmp_path.with_name("x"), False)):
        found = machine_guard.compare({}, {f"mount {place}": "tmpfs tmpfs"}, tmp_path)
        assert found == [f"mount {place}: was missing, is tmpfs tmpfs"] * counts


def test_looking_is_cheap():
    """It is done in each test process: less processor time than one test of the command line."""
    before = time.process_time()
    machine_guard.take_snapshot()
    machine_guard.find_processes(Path("/nowhere"))
    assert time.process_time() - before < 1


def find_sleeps(*arguments):
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = each.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"sleep") and words[1].decode() in arguments:
            found.append(int(each.parent.name))
    return found

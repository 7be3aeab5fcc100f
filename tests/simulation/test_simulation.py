"""The simulation in short, and the proof that it would notice a broken promise."""

import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parent / "machine/run.py"

KEPT = (4, 69, 156, 171)
"""Seeds that broke a promise once."""

MET = (
    "answer lost",
    "crash",
    "fenced",
    "kill",
    "late push refused",
    "lost answer recognised",
    "pause",
    "person steals",
    "takes over",
)
"""What a simulation that is worth anything meets."""


def run(*arguments):
    command = [sys.executable, str(RUN), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_no_history_breaks_a_promise():
    """P2, P3: one writer a token, a linear log, nothing acknowledged is lost, the lock is free."""
    done = run("--histories", "500", "--jobs", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    for what in MET:
        assert f"| {what} |" in done.stdout


@pytest.mark.parametrize("seed", KEPT)
def test_a_seed_that_broke_a_promise_once_keeps_it_now(seed):
    """What was found stays found."""
    done = run("--seed", str(seed))
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_same_seed_is_the_same_history():
    """A finding can be looked at again."""
    assert run("--seed", "7").stdout == run("--seed", "7").stdout


@pytest.mark.parametrize("broken", ["forced pushes", "no owner", "wall clocks", "endless lease"])
def test_a_broken_promise_is_noticed(broken):
    """Without fencing, ownership, a clock of one's own or an end of the lease it fails."""
    done = run("--histories", "250", "--jobs", "1", "--broken", broken)
    assert done.returncode == 1, done.stderr
    assert ", 0 broke a promise" not in done.stdout


def test_real_git_says_the_same():
    """P3: of the same histories, Git takes, refuses and tells what the log in memory does."""
    done = run("--beside-git", "1", "4", "7", "69")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("the same in Git") == 4

"""Six processes race for one lock at a real Gitea; `make verify` lets them do so for longer."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONTESTS = Path(__file__).parents[2] / "peers/gitea/contests.py"

ENVIRON = dict(os.environ)
"""As it was before a test had a home of its own: the cache of built peers is found by it."""

pytestmark = pytest.mark.peer("gitea")


def hold(*options):
    command = [sys.executable, str(CONTESTS), *options]
    done = subprocess.run(command, env=ENVIRON, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return {
        name.strip(): int(count)
        for name, _, count in (line.rpartition(":") for line in done.stdout.splitlines())
        if count.strip().isdecimal()
    }


def test_each_contest_has_exactly_one_winner():
    """P3: each is won by one process, the five others are told so, and the log is sound."""
    counts = hold("--contests", "5", "--processes", "6")
    assert counts["one winner"] == counts["won"] == 5
    assert counts["lost"] == 25


def test_contests_in_which_gitea_is_killed_and_answers_are_lost():
    """P3: one winner, or nobody and an error that says so; never two, and the log is sound."""
    counts = hold("--contests", "5", "--kills", "1", "--faults", "3", "--seed", "7")
    assert counts["one winner"] + counts["no winner, and an error"] == 5
    assert counts["unknown"] > 0

"""This code on the records of every release: what they wrote is read, proven, and gone on with."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from provisioning.core.model.records import FORMAT

LOGS = sorted((Path(__file__).parent / "logs").glob("*.fast-export"))


class Old:
    """A workspace as a release left it; its live files are on another machine, and so not here."""

    def __init__(self, text, base):
        self.shop = base / "shop"
        self.environ = os.environ | {"PROVISIONING_HOME": str(base / "home")}
        subprocess.run(["git", "init", "--quiet", "--initial-branch=main", self.shop], check=True)
        self.git("fast-import", "--quiet", input=text)
        self.git("reset", "--quiet", "--hard", "main")

    def git(self, *arguments, **more):
        command = ["git", "-C", str(self.shop), *arguments]
        return subprocess.run(command, check=True, capture_output=True, **more).stdout.decode()

    def run(self, *arguments, expected=0):
        command = [sys.executable, "-m", "provisioning", *arguments]
        done = subprocess.run(
            command, cwd=self.shop, env=self.environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == expected, (arguments, done.stdout, done.stderr)
        return done.stdout


@pytest.fixture(params=LOGS, ids=lambda path: path.name)
def old(request, tmp_path):
    return Old(request.param.read_bytes(), tmp_path)


def test_each_format_has_a_log():
    """A format that nobody kept an example of could be broken by anybody."""
    assert {int(each.name.partition("-")[0]) for each in LOGS} == set(range(1, FORMAT + 1))


def test_what_an_older_release_wrote_is_proven(old):
    """Each entry is one that the rules of today know."""
    assert "linear, fenced, complete" in old.run("fsck")


def test_what_an_older_release_wrote_is_told(old):
    """Runs, holds and suspensions, the failed one too, and by whom."""
    story = old.run("log", "--all")
    for word in ("begin run 1", "done run 1", "hold", "release", "suspend", "resume", "failed run"):
        assert word in story, word
    events = old.run("events", "--limit", "100")
    assert "Process/broken" in events
    assert "Ana tries something" in old.run("status")
    assert {"Directory/etc", "File/motd", "Value/greeting"} <= set(old.run("get").split())


def test_what_an_older_release_wrote_can_be_asked(old):
    """Why, when, and what was; a rename is followed."""
    assert "it is long" in old.run("log", "-o", "json", "--all") + old.run("events")
    assert "created by run 1" in old.run("why", "Directory/etc")
    assert "Value/greeting" in old.run("at", old.git("rev-parse", "main~1").strip(), "get")
    assert "run" in old.run("replay", "1")


def test_the_next_run_goes_on_from_it(old):
    """What is not on this machine is made; what is suspended stays so; the log stays sound."""
    told = old.run("apply", "--yes", expected=3)
    assert re.search(r"Run \d+ done: 1 created", told)
    assert old.run("resume", "File/motd")
    old.run("apply", "--yes")
    assert (old.shop / "live/etc/motd").read_text() == "Welcome to the shop\n"
    assert "linear, fenced, complete" in old.run("fsck")
    assert "Nothing to do" in old.run("plan")


def test_what_an_older_release_wrote_can_be_compacted(old):
    """The snapshot stands for entries of its format, and the rest is proven as before."""
    old.run("gc", "--keep", "0s", "--yes")
    assert "the first a snapshot of runs 1 to" in old.run("fsck")

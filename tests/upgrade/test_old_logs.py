"""This code on the records of every release: what they wrote is read, proven, and gone on with."""

import re
from pathlib import Path

from provisioning.core.model.records import FORMAT

LOGS = sorted((Path(__file__).parent / "logs").glob("*.fast-export"))


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


def test_the_next_run_goes_on_from_it(old):
    """What is not on this machine is made; what is suspended stays so; the log stays sound."""
    told = old.run("apply", "--yes", expected=3)
    assert re.search(r"Run \d+ done: 1 created", told)
    assert old.run("resume", "File/motd")
    old.run("apply", "--yes")
    assert (old.shop / "live/etc/motd").read_text() == "Welcome to the shop\n"
    assert "linear, fenced, complete" in old.run("fsck")
    assert "Nothing to do" in old.run("plan")

"""What can be asked of the records of every release, and done to them."""


def test_what_an_older_release_wrote_can_be_asked(old):
    """Why, when, and what was; a rename is followed."""
    assert "it is long" in old.run("log", "-o", "json", "--all") + old.run("events")
    assert "created by run 1" in old.run("why", "Directory/etc")
    assert "Value/greeting" in old.run("at", old.git("rev-parse", "main~1").strip(), "get")
    assert "run" in old.run("replay", "1")


def test_what_an_older_release_wrote_can_be_compacted(old):
    """The snapshot stands for entries of its format, and the rest is proven as before."""
    old.run("gc", "--keep", "0s", "--yes")
    assert "the first a snapshot of runs 1 to" in old.run("fsck")

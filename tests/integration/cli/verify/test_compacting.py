"""`gc`: old entries become a snapshot, and nothing that stands is lost."""

import json
import signal
import subprocess

import pytest

FILE = """\
apiVersion: provisioning/v1
kind: File
metadata: {name: motd}
spec: {path: motd, content: "CONTENT", mode: "0600"}
"""


def apply(shop, content):
    shop.commit(FILE.replace("CONTENT", content))
    shop.run("apply", "--yes")


@pytest.fixture(scope="module")
def five_runs(module_shop):
    for content in ("one", "two", "three", "four", "five"):
        apply(module_shop, content)
    return module_shop


@pytest.fixture
def old(five_runs, tmp_path):
    """A log of five runs, all of them old enough."""
    return five_runs.copy(tmp_path)


def read_story(shop, *more):
    return shop.git(*more, "log", "--format=%s", "provisioning/web").splitlines()


def test_old_entries_become_a_snapshot(old):
    """The newer ones say what they said, what is recorded stays, and the log is sound."""
    before, recorded = read_story(old), old.run("get", "-o", "json")
    told = old.run("gc", "--keep", "0s", "--yes")
    assert "web: runs 1 to 4, 8 entries until" in told
    last, *newer, first = read_story(old)
    assert newer == before[:2]
    assert last.startswith("compact 6 by")
    assert first.startswith("snapshot 4 by")
    assert old.run("get", "-o", "json") == recorded
    assert "Nothing to do" in old.run("plan")
    assert "4 entries, the first a snapshot of runs 1 to 4" in old.run("fsck")
    assert old.git("for-each-ref", "refs/provisioning-scratch") == ""
    apply(old, "six")
    assert "linear, fenced, complete" in old.run("fsck")
    assert read_story(old)[0] == "done run 7: 1 updated"


def test_a_snapshot_can_be_compacted_again(old):
    """The new one stands for the old one, too."""
    old.run("gc", "--keep", "0s", "--yes")
    assert "nothing is old enough" in old.run("gc", "--keep", "0s", "--yes")
    apply(old, "six")
    assert "runs 1 to 5, 11 entries until" in old.run("gc", "--keep", "0s", "--yes")
    assert "linear, fenced, complete" in old.run("fsck")


def test_what_is_young_stays(old):
    """By itself `gc` keeps 90 days; `log.retention` is the workspace's own policy."""
    before = read_story(old)
    assert "web: nothing is old enough" in old.run("gc", "--yes")
    assert read_story(old) == before
    assert "8 entries" in old.run("-c", "log.retention=0", "gc", "--yes")


def test_nothing_is_done_without_a_yes(old):
    """It is shown first, and somebody has to agree."""
    before = read_story(old)
    assert "no terminal to ask at" in old.run("gc", "--keep", "0s", expected=1)
    assert read_story(old) == before


def test_the_archive_is_the_whole_log(old, tmp_path):
    """A bundle, which any Git can fetch from."""
    before = read_story(old)
    archive = tmp_path / "kept"
    (shape,) = json.loads(
        old.run("gc", "--keep", "0s", "--yes", "--archive", str(archive), "-o", "json")
    )
    assert shape["snapshot"]["entries"] == 8
    old.git("fetch", "--quiet", shape["archive"], "provisioning/web:old")
    assert old.git("log", "--format=%s", "old").splitlines() == before
    assert old.git("rev-parse", "old~2").strip() == shape["snapshot"]["of"]


def test_an_archive_that_cannot_be_written_stops_it(old, tmp_path):
    """Then the log stays as it is."""
    before = read_story(old)
    (tmp_path / "kept").write_text("a file")
    told = old.run("gc", "--keep", "0s", "--yes", "--archive", str(tmp_path / "kept/x"), expected=1)
    assert "cannot be written" in told
    assert read_story(old) == before


def test_what_is_gone_is_said_to_be(old):
    """Whoever asks for the past is told that it was compacted, and of what is left."""
    old.run("gc", "--keep", "0s", "--yes")
    gone = "any more: it begins with a snapshot of runs 1 to 4"
    assert gone in old.run("replay", "web", "2", expected=1)
    assert gone in old.run("undo", "web", "2", "--yes", expected=1)
    then = old.run("at", "main~3", "status", expected=1)
    assert "was compacted: a snapshot of runs 1 to 4" in then
    assert "run 4 applied" in old.run("at", "main~1", "status")
    assert "the same plan" in old.run("replay", "web", "5")
    assert "updated by run 5" in old.run("why", "File/motd", ".spec.content")
    mode = old.run("why", "File/motd", ".spec.mode")
    assert "which was compacted" in mode
    shape = json.loads(old.run("why", "File/motd", ".spec.mode", "-o", "json"))
    assert set(shape["applied"]) == {"run"}


def test_the_last_run_can_be_undone(old):
    """What was desired before it is known from the snapshot."""
    old.run("gc", "--keep", "0s", "--yes")
    old.run("undo", "web", "5", "--yes")
    old.run("apply", "--yes")
    assert old.live()["motd"] == "four"


def test_a_lock_that_is_held_keeps_it_out(old):
    """Who holds it is told."""
    old.run("lock", "hold", "web", "--reason", "audit")
    before = read_story(old)
    assert "audit" in old.run("gc", "--keep", "0s", "--yes", expected=4)
    assert read_story(old) == before


def test_a_log_that_is_not_sound_is_not_compacted(old):
    """A snapshot would hide what is wrong with it."""
    tree = old.git("rev-parse", "provisioning/web^{tree}").strip()
    commit = old.git("commit-tree", tree, "-p", "provisioning/web", "-m", "by hand").strip()
    old.git("update-ref", "refs/heads/provisioning/web", commit)
    told = old.run("gc", "--keep", "0s", "--yes", expected=1)
    assert "it is no entry of a state log: 'by hand'" in told
    assert "provisioning fsck web" in told


def test_a_run_that_was_cut_off_goes_first(old):
    """Its intention is needed as it is."""
    old.commit(FILE.replace("CONTENT", "six"))
    old.run("apply", "--yes")
    old.git("update-ref", "refs/heads/provisioning/web", "provisioning/web~1")
    told = old.run("gc", "--keep", "0s", "--yes", expected=3)
    assert "a run or a hold of web has begun and not ended" in told
    old.run("reconcile")
    assert "runs 1 to 5, 10 entries" in old.run("gc", "--keep", "0s", "--yes")


def test_a_snapshot_that_is_no_beginning_is_found(old):
    """Nobody can hide entries behind a file."""
    old.run("gc", "--keep", "0s", "--yes")
    text = old.git("show", "provisioning/web:snapshot.json").replace("8", "9")
    blob = subprocess.run(
        ["git", "hash-object", "-w", "--stdin"],
        cwd=old.folder, input=text, capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    old.git("read-tree", "provisioning/web")
    old.git("update-index", "--add", "--cacheinfo", f"100644,{blob},snapshot.json")
    tree = old.git("write-tree").strip()
    commit = old.git("commit-tree", tree, "-p", "provisioning/web", "-m", "x").strip()
    old.git("update-ref", "refs/heads/provisioning/web", commit)
    assert "it is no entry of a state log" in old.run("fsck", expected=1)


def test_followers_are_not_told_everything_again(old):
    """`events --follow` goes on where it was."""
    process = old.start("events", "--follow")
    try:
        while "five" not in (line := process.stdout.readline()) and "run 5  done" not in line:
            assert line
        old.run("gc", "--keep", "0s", "--yes")
        apply(old, "six")
        told = [process.stdout.readline() for _ in range(2)]
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=300)
    assert "compacted" in told[0]
    assert "run 7" in told[1]


def test_an_archive_is_never_overwritten(old, tmp_path):
    """Who comes second and would archive what is compacted already, leaves the first one alone."""
    archive = tmp_path / "kept"
    before = read_story(old)
    words = ("gc", "--keep", "0s", "--yes", "--archive", str(archive))
    head = old.git("rev-parse", "provisioning/web").strip()
    old.run(*words)
    (bundle,) = archive.iterdir()
    content = bundle.read_bytes()
    old.git("update-ref", "refs/heads/provisioning/web", head)
    old.run(*words)
    assert [bundle] == list(archive.iterdir())
    assert bundle.read_bytes() == content
    old.git("update-ref", "refs/heads/provisioning/web", head)
    old.git("bundle", "create", "--quiet", str(bundle), "main")
    assert "another log is there" in old.run(*words, expected=1)
    assert read_story(old) == before

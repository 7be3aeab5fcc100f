import json
import re
import shutil

import pytest

FILE = """\
apiVersion: provisioning/v1
kind: File
metadata: {name: motd}
spec: {path: motd, content: "CONTENT"}
"""


@pytest.fixture
def shared(shop, url, hub, monkeypatch):
    """A workspace whose branch and state log are shared at *url*."""
    import os

    if "GIT_SSH_COMMAND" in os.environ:
        shop.environment["GIT_SSH_COMMAND"] = os.environ["GIT_SSH_COMMAND"]
    settings = shop.folder / "config/provisioning.yaml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(re.sub(r"^remote: null", f"remote: {url}", text, flags=re.MULTILINE))
    shop.commit()
    shop.git("push", "--quiet", str(hub), "main")
    return shop


def read_log(shop, hub):
    return shop.git("-C", str(hub), "log", "--format=%s", "provisioning/web").splitlines()


def test_a_run_on_a_remote_writes_twice_there_and_nothing_here(shared, hub):
    """The state log is on the remote, and the user's clone is as it was."""
    before = shared.git("for-each-ref")
    shared.run("apply", "--yes")
    told = read_log(shared, hub)
    assert [line.split()[0] for line in told] == ["done", "begin"]
    assert shared.git("for-each-ref") == before
    assert "linear, fenced, complete" in shared.run("fsck")
    shared.run("reconcile")
    assert read_log(shared, hub) == told


def test_runs_from_several_machines_at_once_never_both_apply(shared, hub, tmp_path, render_files):
    """P3 over any transport: of several that start together each change is made once."""
    shared.commit(render_files(range(5)))
    shared.git("push", "--quiet", str(hub), "main")
    homes = [str(tmp_path / f"home{n}") for n in range(3)]
    processes = [shared.start("reconcile", PROVISIONING_HOME=home) for home in homes]
    told = [process.communicate(timeout=600) for process in processes]
    codes = [process.returncode for process in processes]
    assert set(codes) <= {0, 4}, told
    shared.run("reconcile")
    story = read_log(shared, hub)
    assert sum("created" in line for line in story) == 1
    assert "linear, fenced, complete" in shared.run("fsck")


def test_a_remote_that_refuses_is_quoted(shared, hub):
    """What the server said is in the error, and nothing was applied."""
    hook = hub / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho the branch is protected >&2\nexit 1\n")
    hook.chmod(0o755)
    told = shared.run("apply", "--yes", expected=1)
    assert "the branch is protected" in told
    assert shared.live() == {}


def test_a_remote_that_vanishes_half_way_loses_nothing(shared, hub, tmp_path):
    """The message says what stands where, and the next run mends it."""
    hook = hub / "hooks" / "post-receive"
    hook.write_text(f"#!/bin/sh\nmv {hub} {tmp_path / 'gone.git'}\n")
    hook.chmod(0o755)
    told = shared.run("apply", "--yes", expected=1)
    assert "could not be recorded" in told or "cannot be known" in told
    (tmp_path / "gone.git" / "hooks" / "post-receive").unlink()
    shutil.move(tmp_path / "gone.git", hub)
    shared.run("reconcile")
    assert "motd" in str(shared.live())
    assert "linear, fenced, complete" in shared.run("fsck")
    assert "is free" in shared.run("lock", "explain", "web")


def test_a_compacted_log_is_compacted_for_everybody(shared, hub, tmp_path):
    """Another machine goes on from it, whatever it had fetched before."""
    other = str(tmp_path / "other")
    for content in ("one", "two", "three"):
        shared.commit(FILE.replace("CONTENT", content))
        shared.git("push", "--quiet", str(hub), "main")
        shared.run("apply", "--yes")
    shared.run("plan", PROVISIONING_HOME=other)
    shared.run("gc", "--keep", "0s", "--yes")
    assert [line.split()[0] for line in read_log(shared, hub)] == [
        "compact",
        "done",
        "begin",
        "snapshot",
    ]
    shared.commit(FILE.replace("CONTENT", "four"))
    shared.git("push", "--quiet", str(hub), "main")
    shared.run("apply", "--yes", PROVISIONING_HOME=other)
    assert "linear, fenced, complete" in shared.run("fsck", PROVISIONING_HOME=other)
    assert "linear, fenced, complete" in shared.run("fsck")


def test_compacting_beside_runs_loses_none(shared, hub, tmp_path):
    """P3: whoever comes second begins again; each run is in the log once, or in the snapshot."""
    other, compactions = str(tmp_path / "other"), 0
    for number in range(4):
        shared.commit(FILE.replace("CONTENT", str(number)))
        shared.git("push", "--quiet", str(hub), "main")
        run = shared.start("reconcile", PROVISIONING_HOME=other)
        compaction = shared.start("gc", "--keep", "0s", "--yes")
        told = [process.communicate(timeout=600) for process in (run, compaction)]
        assert run.returncode == 0, told
        compactions += "web: compacted" in told[1][0]
        is_late = "somebody wrote to the log" in told[1][1]
        assert compaction.returncode in ({1} if is_late else {0, 4}), told
        proof = shared.run("fsck")
        assert "linear, fenced, complete" in proof
    if not compactions:  # each came second
        assert "web: compacted" in shared.run("gc", "--keep", "0s", "--yes")
        compactions = 1
    snapshot = json.loads(shared.git("-C", str(hub), "show", "provisioning/web:snapshot.json"))
    kept = read_log(shared, hub)[:-1]
    assert snapshot["entries"] + len(kept) == 2 * 4 + compactions
    assert shared.live()["motd"] == "3"


def test_a_remote_that_takes_no_forced_push_says_so(shared, hub):
    """It is no lost race, and trying again would not help."""
    for content in ("one", "two"):
        shared.commit(FILE.replace("CONTENT", content))
        shared.git("push", "--quiet", str(hub), "main")
        shared.run("apply", "--yes")
    shared.git("-C", str(hub), "config", "receive.denyNonFastForwards", "true")
    before = read_log(shared, hub)
    told = shared.run("gc", "--keep", "0s", "--yes", expected=1)
    assert "it accepts no forced push of refs/heads/provisioning/web" in told
    assert read_log(shared, hub) == before

"""`lock.backend: gitea`, end to end: the real program and a real Gitea."""

import base64
import json
import os
import re
import shutil
import time

import pytest
from gitea_workspace import host, judge, publish, read_log

pytestmark = [pytest.mark.peer("gitea"), pytest.mark.xdist_group("gitea-lock")]


@pytest.fixture
def hosted(shop, gitea):
    """A workspace whose repository is at Gitea, and whose locks are written by its API."""
    return host(shop, gitea)


def test_a_log_at_gitea_is_compacted(hosted, gitea):
    """Gitea takes the forced push, and the next lock is written on top of the snapshot."""
    for content in "one", "two":
        path = hosted.folder / "infra/web/example.yaml"
        path.write_text(re.sub("Managed by.*", content, path.read_text(encoding="utf-8")))
        hosted.run("apply", "--yes")
        (hosted.folder / "live/etc/motd").unlink()
    hosted.run("gc", "--keep", "0s", "--yes")
    hosted.run("apply", "--yes")
    words = [line.split()[0] for line in read_log(hosted, gitea)]
    assert words == ["done", "begin", "compact", "done", "begin", "snapshot"]
    assert "linear, fenced, complete" in hosted.run("fsck")


def test_a_run_writes_twice_at_gitea_and_nothing_here(hosted, gitea):
    """The state log is at Gitea, and the user's clone is as it was; the next run goes on there."""
    before = hosted.git("for-each-ref")
    hosted.run("apply", "--yes")
    hosted.commit(hosted.folder.joinpath("infra/web/example.yaml").read_text() + "# more\n")
    hosted.git("push", "--quiet", gitea.get_git_url(hosted.repository), "main")
    (hosted.folder / "live/etc/motd").unlink()
    hosted.run("reconcile")
    told = read_log(hosted, gitea)
    assert [line.split()[0] for line in told] == ["done", "begin", "done", "begin"]
    assert "refs/heads/provisioning" not in before + hosted.git("for-each-ref")
    assert "linear, fenced, complete" in hosted.run("fsck")


def test_the_token_file_is_a_setting_as_any_other(hosted, tmp_path):
    """A variable of the environment names another file, and the error names that one."""
    other = tmp_path / "other-token"
    told = hosted.run("plan", expected=1, PROVISIONING_FORGE__TOKEN_FILE=str(other))
    assert f"{other}, the file of forge.token_file, cannot be read" in told
    hosted.token.rename(other)
    hosted.run("plan", PROVISIONING_FORGE__TOKEN_FILE=str(other))
    assert "token_file, cannot be read" in hosted.run("plan", expected=1)


@pytest.mark.parametrize(
    ("pattern", "text", "told"),
    [
        ("  token_file:.*", "", "forge.kind is set, and forge.token_file is not"),
        ("  url:.*", "", "forge.kind is set, and forge.url is not"),
        ("  repository:.*", "  repository: shop", "write it as OWNER/NAME"),
        ("forge:(\n  .*)+", "", "lock.backend is gitea, and forge.kind is not set"),
        ("  token_file:.*", "  token_file: {}/inside", "is inside of the repository"),
    ],
    ids=["no token file", "no url", "no owner", "no forge", "inside"],
)
def test_what_is_missing_is_named(hosted, pattern, text, told):
    """One clear error for each setting that the others need."""
    settings = hosted.folder / "config/provisioning.yaml"
    old = settings.read_text(encoding="utf-8")
    settings.write_text(re.sub(pattern, text.format(hosted.folder), old))
    assert told in hosted.run("apply", "--yes", expected=1)
    assert hosted.live() == {}


def test_runs_from_several_machines_at_once_never_both_apply(hosted, gitea, tmp_path, render_files):
    """P3: of several that start together each change is made once, and the log proves it."""
    publish(hosted, gitea, render_files(range(5)))
    homes = [tmp_path / f"home{number}" for number in range(3)]
    for home in homes:
        home.mkdir()
        shutil.copy2(hosted.token, home)
    processes = [hosted.start("reconcile", PROVISIONING_HOME=str(home)) for home in homes]
    told = [process.communicate(timeout=600) for process in processes]
    assert {process.returncode for process in processes} <= {0, 4}, told
    hosted.run("reconcile")
    assert sum("created" in line for line in read_log(hosted, gitea)) == 1
    judge(hosted, gitea, {f"d/{name}.txt": f"x{name}" for name in range(5)})


GATE = """\
apiVersion: provisioning/v1
kind: Process
metadata: {name: gate}
spec:
  command: [/bin/sleep, "4713"]
  cwd: .
  ready: {exec: [/bin/sh, -c, "touch waits; while [ ! -e goes-on ]; do sleep 0.05; done"]}
  timeout: 600
"""
"""A process that lets the run that starts it wait for a file."""


def test_gitea_killed_in_the_middle_of_a_run(hosted, gitea, render_files):
    """The run says what stands where; when Gitea is back the next one mends it."""
    live = hosted.folder / "live"
    publish(hosted, gitea, f"{GATE}---\n{render_files(range(20))}")
    process = hosted.start("reconcile", "web")
    deadline = time.monotonic() + 600
    while not (live / "waits").exists() or len(list(live.glob("d/*.txt"))) < 20:
        assert time.monotonic() < deadline, "it did not begin"
        time.sleep(0.01)
    gitea.kill()
    (live / "goes-on").touch()
    try:
        _, told = process.communicate(timeout=600)
    finally:
        gitea.start()
    assert process.returncode == 1, told
    assert "could not be recorded" in told
    assert "nothing is lost" in told
    hosted.run("reconcile", "web")
    for name in ("waits", "goes-on"):
        (live / name).unlink()
    judge(hosted, gitea, {f"d/{name}.txt": f"x{name}" for name in range(20)})
    publish(hosted, gitea, render_files(range(20)))
    hosted.run("apply", "--yes")


def test_a_hold_is_seen_here_and_at_gitea(hosted, gitea):
    """Who holds the lock, since when and why: in `lock ls`, in `lock explain`, in Gitea's pages."""
    hosted.run("apply", "--yes")
    hosted.run("lock", "hold", "web", "--reason", "new disks", "--expire", "3h")
    (row,) = json.loads(hosted.run("lock", "ls", "-o", "json"))
    lock = row["lock"]
    assert (row["standing"], lock["reason"]) == ("held", "new disks")
    told = hosted.run("lock", "explain", "web")
    assert f"web is locked by {lock['holder']['user']}" in told
    assert "new disks" in told
    assert f"since {lock['acquired_at']}" in told
    path = f"/repos/{hosted.repository}"
    _, file = gitea.call("GET", f"{path}/contents/lock.json?ref=provisioning%2Fweb")
    assert json.loads(base64.b64decode(file["content"])).items() >= lock.items()
    _, commits = gitea.call("GET", f"{path}/commits?sha=provisioning%2Fweb&limit=1")
    subject = commits[0]["commit"]["message"].splitlines()[0]
    assert subject == f"hold 2 by {lock['holder']['user']}: new disks"
    hosted.run("lock", "steal", "web", "--reason", "mine now")
    hosted.run("lock", "release", "web")
    stories = [line.split()[0] for line in read_log(hosted, gitea)]
    assert stories == ["release", "steal", "hold", "done", "begin"]
    assert "linear, fenced, complete" in hosted.run("fsck", "web")


def test_the_token_is_in_no_message_argument_or_file(hosted, gitea, tmp_path):
    """Runs that succeed and runs that fail leave it where it was, and nowhere else."""
    tools = tmp_path / "tools"
    tools.mkdir()
    wrapper = tools / "git"
    wrapper.write_text(
        f'#!/bin/sh\necho "$@" >>{tmp_path}/arguments\nexec {shutil.which("git")} "$@"\n'
    )
    wrapper.chmod(0o755)
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    told = hosted.run("apply", "--yes", PATH=path)
    told += hosted.run("lock", "hold", "web", "--reason", "test", PATH=path)
    told += hosted.run("lock", "release", "web", PATH=path)
    secret = hosted.token.read_text().strip()
    assert gitea.call("PATCH", f"/repos/{hosted.repository}", {"archived": True})[0] == 200
    told += hosted.run("lock", "hold", "web", "--reason", "test", expected=1, PATH=path)
    words = [secret, base64.b64encode(f"token:{secret}".encode()).decode()]
    arguments = (tmp_path / "arguments").read_text()
    assert "push --porcelain" in arguments
    assert not [word for word in words if word in told + arguments]
    folders = [hosted.folder, hosted.home, gitea.find_folder(hosted.repository)]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    holding = [path for path in files if any(word.encode() in path.read_bytes() for word in words)]
    assert holding == [hosted.token]

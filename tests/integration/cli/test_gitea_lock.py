"""`lock.backend: gitea`, end to end: the real program and a real Gitea."""

import base64
import json
import os
import random
import re
import shutil
import signal
import time
from contextlib import suppress
from subprocess import TimeoutExpired

import pytest
from gitea_proxy import Fault, FaultyProxy

CALL, PUSH = r"^POST /api/v1/.*/contents", r"^POST .*/git-receive-pack"

pytestmark = [pytest.mark.peer("gitea"), pytest.mark.xdist_group("gitea-lock")]


@pytest.fixture
def hosted(shop, gitea):
    """A workspace whose repository is at Gitea, and whose locks are written by its API."""
    shop.repository = gitea.create_repository(auto_init=False)
    token = shop.home / "gitea-token"
    token.parent.mkdir(exist_ok=True)
    token.write_text(f"{gitea.token}\n")
    token.chmod(0o600)
    settings = shop.folder / "config/provisioning.yaml"
    more = f"""
lock: {{backend: gitea}}
forge:
  kind: gitea
  url: {gitea.url}
  repository: {shop.repository}
  token_file: gitea-token
"""
    settings.write_text(settings.read_text(encoding="utf-8") + more)
    shop.token = token
    shop.commit()
    shop.git("push", "--quiet", gitea.get_git_url(shop.repository), "main")
    gitea.wait_for_push(shop.repository)
    return shop


def read_log(shop, gitea):
    folder = str(gitea.find_folder(shop.repository))
    return shop.git("-C", folder, "log", "--format=%s", "provisioning/web").splitlines()


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


def judge(hosted, gitea, wanted):
    """The world is what Git says, the log is sound, the lock free, and all is done."""
    assert hosted.live() == wanted
    assert "linear, fenced, complete" in hosted.run("fsck", "web")
    assert "web is free" in hosted.run("lock", "explain", "web")
    told = read_log(hosted, gitea)
    hosted.run("reconcile", "web")
    assert read_log(hosted, gitea) == told


def publish(hosted, gitea, text):
    hosted.commit(text)
    hosted.git("push", "--quiet", gitea.get_git_url(hosted.repository), "main")


@pytest.mark.parametrize("part", range(2))
def test_kill_9_at_random_points(hosted, gitea, render_files, part):
    """P2: six kills in a row at any moment of applies, then one run makes the world right."""
    chance = random.Random(part)
    for round_ in range(6):
        names = sorted(chance.sample(range(20), 10))
        publish(hosted, gitea, render_files(names, content=f"round {round_} "))
        process = hosted.start("reconcile", "web")
        with suppress(TimeoutExpired):
            process.communicate(timeout=chance.uniform(0.4, 1.6))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    publish(hosted, gitea, render_files(range(0, 20, 2), content="end "))
    hosted.run("reconcile", "web")
    judge(hosted, gitea, {f"d/{name}.txt": f"end {name}" for name in range(0, 20, 2)})


@pytest.mark.parametrize("forwards", [0, 1], ids=["before", "after"])
@pytest.mark.parametrize("home", ["the same machine", "another machine"])
@pytest.mark.parametrize(("request_", "made"), [(CALL, 0), (PUSH, 5)], ids=["acquire", "record"])
def test_kill_9_around_each_write(
    hosted, gitea, render_files, tmp_path, request_, made, home, forwards
):
    """P2: killed when a write is about to reach Gitea, or has just done so: the next run mends."""
    hosted.run("apply", "--yes")
    publish(hosted, gitea, render_files(range(5)))
    variables = {}
    if home == "another machine":
        other = tmp_path / "other"
        other.mkdir()
        shutil.copy2(hosted.token, other)
        variables = {"PROVISIONING_HOME": str(other)}
    with FaultyProxy(gitea.url) as proxy:
        proxy.plan(request_, Fault(forwards, hangs=True))
        process = hosted.start("reconcile", "web", PROVISIONING_FORGE__URL=proxy.url)
        assert proxy.hanging.wait(600)
        process.kill()
        process.communicate()
        assert len(list((hosted.folder / "live").glob("d/*.txt"))) == made
        hosted.run("reconcile", "web", **variables)
    judge(hosted, gitea, {f"d/{name}.txt": f"x{name}" for name in range(5)})


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
    assert json.loads(base64.b64decode(file["content"])) == lock
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

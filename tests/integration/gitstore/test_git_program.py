import os
import shutil
import socket
import subprocess
import time

import pytest

from provisioning.core.model.errors import (
    InvalidConfiguration,
    RemoteUnreachable,
    RepositoryUnusable,
)
from provisioning.gitstore.repository.git_program import mask_password, run_git
from provisioning.gitstore.repository.remote import check_url

MAIN = "refs/heads/main"


@pytest.fixture
def silent_url():
    """Listen at an address that takes connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/shop.git"


@pytest.fixture
def few_programs(tmp_path, monkeypatch):
    """A PATH as in a slim container: git and env, no ps."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("git", "env", "sh"):
        (folder / name).symlink_to(shutil.which(name))
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_silent_server_is_given_up(silent_url, connect, few_programs):
    """A server that never answers is given up in time, also where there is no `ps` program."""
    remote = connect(silent_url, timeout=0.3)
    before = time.monotonic()
    with pytest.raises(RemoteUnreachable, match=r"did not answer within 0\.3 s"):
        remote.fetch(MAIN)
    assert time.monotonic() - before < 100


def test_time_out_ends_every_program(tmp_path, bare, monkeypatch):
    """A time-out ends what git itself has started too: nothing is left behind."""
    pid = tmp_path / "pid"
    monkeypatch.setenv("GIT_SSH_COMMAND", f"echo $$ >{pid}; exec sleep 600 #")
    for seconds in (1.0, 4.0, 16.0, 64.0):  # a slow machine may need more than the first
        answer = run_git(bare, "ls-remote", "--", "ssh://nobody@localhost/x", timeout=seconds)
        assert answer.status < 0
        if pid.exists() and pid.read_text().strip():
            break
    deadline = time.monotonic() + 60
    while is_running(pid.read_text().strip()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_running(pid.read_text().strip())


def is_running(pid: str) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_git_stands_apart_from_the_terminal(tmp_path, bare, monkeypatch):
    """What git runs is in a session of its own, so that a Ctrl-C for us does not reach it."""
    seen = tmp_path / "session"
    monkeypatch.setenv("GIT_SSH_COMMAND", f"cut -d' ' -f6 /proc/$$/stat >{seen}; exit 1 #")
    run_git(bare, "ls-remote", "--", "ssh://nobody@localhost/x")
    assert int(seen.read_text()) != os.getsid(0)


@pytest.mark.parametrize("name", ["GIT_DIR", "GIT_OBJECT_DIRECTORY", "GIT_WORK_TREE"])
def test_a_hook_s_environment_leads_nowhere(served_by_file, connect, monkeypatch, tmp_path, name):
    """Called from a hook, what Git has set there does not lead our objects elsewhere."""
    head = served_by_file.commit(MAIN)
    elsewhere = tmp_path / "elsewhere"
    subprocess.run(["git", "init", "--quiet", "--bare", elsewhere], check=True)
    value = elsewhere / "objects" if name == "GIT_OBJECT_DIRECTORY" else elsewhere
    monkeypatch.setenv(name, str(value))
    remote = connect(served_by_file.url)
    remote.fetch(MAIN)
    assert remote.mirror.read_commit(head).id == head
    assert not [file for file in (elsewhere / "objects").rglob("*") if file.is_file()]


def test_user_s_default_formats_do_not_matter(served_by_file, connect, monkeypatch):
    """A mirror is of the format that can be read, whatever new repositories are here."""
    head = served_by_file.commit(MAIN)
    monkeypatch.setenv("GIT_DEFAULT_HASH", "sha256")
    remote = connect(served_by_file.url)
    remote.fetch(MAIN)
    assert remote.mirror.read_ref(MAIN) == head


def test_missing_program_is_named(bare, tmp_path, monkeypatch):
    """Without a git program the error says so, and how to get one."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RepositoryUnusable, match="no git program") as caught:
        run_git(bare, "version")
    assert "install" in caught.value.hint


def test_git_that_is_too_old_is_named(bare):
    """An option that git does not know says which git is needed."""
    with pytest.raises(RepositoryUnusable, match="unknown option `no-such-option'") as caught:
        run_git(bare, "fetch", "--no-such-option")
    assert "2.30" in caught.value.hint


def test_number_in_a_url_is_no_answer(connect):
    """A port that reads like a refusal (403) is not taken for one."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(RemoteUnreachable):
            connect(f"http://127.0.0.1:{port}/403/not found/401").fetch(MAIN)


@pytest.mark.parametrize("url", ["-oProxyCommand=x", "--upload-pack=x", "ext::sh -c x", "fd::3"])
def test_url_that_is_none_is_refused(url):
    """An option in disguise, and a URL that runs a program, are refused."""
    with pytest.raises(InvalidConfiguration):
        check_url(url)


@pytest.mark.parametrize(
    "url", ["git@[::1]:shop", "ssh://git@[::1]:22/shop", "/a/b", "../b", "h:p"]
)
def test_url_of_every_form_is_taken(url):
    """Every form of a URL that Git knows is taken, IPv6 addresses too."""
    assert check_url(url) == url


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("at https://ana:x@h/p: no", "at https://***@h/p: no"),
        ("https://ana:p@ss@h/p", "https://***@h/p"),
        ("https://h/p ana@x", "https://h/p ana@x"),
    ],
)
def test_passwords_are_masked(text, masked):
    """The user's part of a URL is masked wherever it stands, up to the last `@` of the host."""
    assert mask_password(text) == masked

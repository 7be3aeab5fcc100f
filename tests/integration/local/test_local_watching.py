"""What the kernel tells of files and processes that are followed."""

import os
import queue
import subprocess
from pathlib import Path

import pytest

from provisioning.core.providers import Target, Watches
from provisioning.providers.local.provider import LocalProvider
from provisioning.providers.local.scanning import read_seen


@pytest.fixture
def told():
    return queue.Queue()


@pytest.fixture
def watch(tmp_path, told):
    (tmp_path / "live").mkdir()
    provider = LocalProvider(root=tmp_path / "live", home=tmp_path / "home")
    assert isinstance(provider, Watches)
    opened = provider.open_watch(told.put)
    yield opened
    opened.close()


def file(path):
    return Target(id=f"File/{path}", kind="File", attributes={"path": path})


def hear(told):
    return told.get(timeout=20)


def is_silent(told):
    try:
        told.get(timeout=0.2)
    except queue.Empty:
        return True
    return False


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_text("other"),
        lambda path: path.unlink(),
        lambda path: path.chmod(0o600),
        lambda path: path.rename(path.with_name("away")),
        lambda path: path.with_name("new").rename(path),
    ],
    ids=["written", "removed", "chmod", "moved away", "replaced"],
)
def test_whatever_happens_to_a_file_is_told(tmp_path, watch, told, change):
    """And what happens to its neighbours is not."""
    path = tmp_path / "live/a"
    path.write_text("x")
    path.with_name("new").write_text("y")
    watch.follow("shop/web", [file("a")])
    path.with_name("neighbour").write_text("z")
    assert is_silent(told)
    change(path)
    assert hear(told) == "shop/web"


def test_a_file_that_is_not_there_yet_is_told_when_it_comes(tmp_path, watch, told):
    """Its folder is what is watched."""
    watch.follow("shop/web", [file("a")])
    (tmp_path / "live/a").write_text("x")
    assert hear(told) == "shop/web"


def test_everybody_who_follows_a_file_is_told(tmp_path, watch, told):
    """Two owners of one folder hear each of their own."""
    for name in "ab":
        (tmp_path / "live" / name).write_text("x")
        watch.follow(f"shop/{name}", [file(name)])
    (tmp_path / "live/b").unlink()
    assert hear(told) == "shop/b"
    assert is_silent(told)


def test_who_follows_something_else_hears_of_that_alone(tmp_path, watch, told):
    """What was followed before is let go of."""
    for name in "ab":
        (tmp_path / "live" / name).write_text("x")
    watch.follow("shop/web", [file("a")])
    watch.follow("shop/web", [file("b")])
    (tmp_path / "live/a").unlink()
    assert is_silent(told)
    (tmp_path / "live/b").unlink()
    assert hear(told) == "shop/web"
    watch.follow("shop/web", [])
    (tmp_path / "live/b").write_text("y")
    assert is_silent(told)


def test_a_folder_that_is_removed_is_told_and_can_be_followed_anew(tmp_path, watch, told):
    """So the healing of a folder is followed by the watching of it."""
    folder = tmp_path / "live/d"
    folder.mkdir()
    (folder / "a").write_text("x")
    watch.follow("shop/web", [file("d/a")])
    (folder / "a").unlink()
    assert hear(told) == "shop/web"
    folder.rmdir()
    assert hear(told) == "shop/web"
    folder.mkdir()
    watch.follow("shop/web", [file("d/a")])
    (folder / "a").write_text("x")
    assert hear(told) == "shop/web"


def test_a_path_outside_of_every_root_is_left_out(tmp_path, watch, told):
    """As are folders that are not there: whoever follows looks now and then in any case."""
    watch.follow("shop/web", [file("/etc/passwd"), file("../x"), file("no/such/folder"), file("a")])
    (tmp_path / "live/a").write_text("x")
    assert hear(told) == "shop/web"


def test_the_end_of_a_process_is_told(watch, told):
    """Once; a process id that was given to another one since is nobody of ours."""
    child = subprocess.Popen(["sleep", "100"])
    try:
        seen = read_seen(child.pid)
        spec = {"pid": child.pid, "started": seen.started}
        watch.follow("shop/web", [Target(id="Process/p", kind="Process", attributes=spec)])
        other = {"pid": os.getpid(), "started": 1}
        watch.follow("shop/api", [Target(id="Process/p", kind="Process", attributes=other)])
        assert is_silent(told)
        child.kill()
        assert hear(told) == "shop/web"
        assert is_silent(told)
    finally:
        child.kill()
        child.wait()


def test_nothing_stays_open(tmp_path, told):
    """Opened and closed a hundred times, a watch leaves no descriptor."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(100):
        provider = LocalProvider(root=tmp_path, home=tmp_path / "home")
        opened = provider.open_watch(told.put)
        opened.follow("shop/web", [file("a")])
        opened.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before

"""What the kernel tells of files and processes that are followed."""

import os
import queue
import resource
import subprocess
import threading
from pathlib import Path

import pytest

from provisioning.core.model.errors import ProviderError
from provisioning.core.model.providers import ObservationTarget, Watches
from provisioning.providers.local.processes.procfs import read_seen
from provisioning.providers.local.provider import LocalProvider


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
    return ObservationTarget(id=f"File/{path}", kind="File", attributes={"path": path})


def hear(told):
    return told.get(timeout=200)


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
    for name in "ab":
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
    """Whoever follows looks now and then in any case."""
    watch.follow("shop/web", [file("/etc/passwd"), file("../x"), file("a")])
    (tmp_path / "live/a").write_text("x")
    assert hear(told) == "shop/web"


def hear_all(told):
    """Wait until nothing more is told."""
    heard = {hear(told)}
    while not is_silent(told):
        pass
    return heard


def test_a_folder_that_is_not_there_yet_is_told_when_it_comes(tmp_path, watch, told):
    """Each on the way, and then the file in it, without being followed anew."""
    watch.follow("shop/web", [file("d/e/a")])
    for folder in ("d", "d/e"):
        (tmp_path / "live" / folder).mkdir()
        assert hear_all(told) == {"shop/web"}
    (tmp_path / "live/d/neighbour").mkdir()
    assert is_silent(told)
    (tmp_path / "live/d/e/a").write_text("x")
    assert hear(told) == "shop/web"


def test_a_folder_that_was_made_anew_is_watched_again(tmp_path, watch, told):
    """Also if it is as it was, so that there is nothing to heal and nobody to follow it anew."""
    folder = tmp_path / "live/d"
    folder.mkdir()
    watch.follow("shop/web", [file("d/a")])
    folder.rmdir()
    folder.mkdir()
    assert hear_all(told) == {"shop/web"}
    (folder / "a").write_text("x")
    assert hear(told) == "shop/web"


def test_a_folder_that_was_swapped_is_watched_where_it_is(tmp_path, watch, told):
    """The one that bears the name now is; the one that bore it is not, however far down."""
    live = tmp_path / "live"
    for each in ("d/e", "new/e"):
        (live / each).mkdir(parents=True)
    watch.follow("shop/web", [file("d/e/a")])
    (live / "d").rename(live / "old")
    (live / "new").rename(live / "d")
    assert hear_all(told) == {"shop/web"}
    (live / "d/e/a").write_text("x")
    assert hear_all(told) == {"shop/web"}


def test_what_is_followed_while_news_of_its_folder_is_unread_is_watched(tmp_path, told):
    """The kernel's number of a folder may be an old one's, or known by another path."""
    live = tmp_path / "live"
    (live / "d").mkdir(parents=True)
    held = threading.Event()

    def notify(owner):
        told.put(owner)
        held.wait(20)

    opened = LocalProvider(root=live, home=tmp_path / "home").open_watch(notify)
    try:
        opened.follow("shop/web", [file("d/a"), file("tap")])
        (live / "tap").write_text("x")
        assert hear(told) == "shop/web"
        (live / "d").rename(live / "e")
        (live / "d").mkdir()
        opened.follow("shop/web", [file("d/a"), file("e/b")])
        held.set()
        assert hear_all(told) == {"shop/web"}
        for each in ("d/a", "e/b", "d/a"):
            (live / each).write_text("x")
            assert hear_all(told) == {"shop/web"}, each
    finally:
        held.set()
        opened.close()


def test_news_that_was_lost_is_made_up_for(tmp_path, told):
    """Everybody looks, and is watched as things are now: inotify(7) tells that it lost some."""
    live = tmp_path / "live"
    (live / "d").mkdir(parents=True)
    held = threading.Event()

    def notify(owner):
        told.put(owner)
        held.wait(20)

    opened = LocalProvider(root=live, home=tmp_path / "home").open_watch(notify)
    try:
        opened.follow("shop/web", [file("d/a"), file("tap")])
        (live / "tap").write_text("x")
        assert hear(told) == "shop/web"
        flood = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
        for number in range(flood // 2 + 1):
            os.mkfifo(live / f"n{number}")
            (live / f"n{number}").unlink()
        (live / "d").rmdir()
        (live / "d").mkdir()
        held.set()
        assert hear_all(told) == {"shop/web"}
        (live / "d/a").write_text("x")
        assert hear_all(told) == {"shop/web"}
    finally:
        held.set()
        opened.close()


def test_the_end_of_a_process_is_told(watch, told):
    """Once; a process id that was given to another one since is nobody of ours."""
    child = subprocess.Popen(["sleep", "100"])
    try:
        seen = read_seen(child.pid)
        spec = {"pid": child.pid, "started": seen.started}
        watch.follow(
            "shop/web", [ObservationTarget(id="Process/p", kind="Process", attributes=spec)]
        )
        other = {"pid": os.getpid(), "started": 1}
        watch.follow(
            "shop/api", [ObservationTarget(id="Process/p", kind="Process", attributes=other)]
        )
        assert is_silent(told)
        child.kill()
        assert hear(told) == "shop/web"
        assert is_silent(told)
    finally:
        child.kill()
        child.wait()


def list_open():
    return [each for each in range(1000) if os.path.lexists(f"/proc/self/fd/{each}")]


@pytest.mark.parametrize("nth", [0, 1, 3], ids=["inotify", "pipe", "epoll"])
def test_where_no_descriptor_is_left_none_stays_open(tmp_path, told, nth):
    """And what to raise is told."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    LocalProvider(root=tmp_path, home=tmp_path / "home").open_watch(told.put).close()
    before = list_open()
    free = [each for each in range(1000) if each not in before]
    provider = LocalProvider(root=tmp_path, home=tmp_path / "home")
    resource.setrlimit(resource.RLIMIT_NOFILE, (free[nth], limits[1]))
    try:
        with pytest.raises(ProviderError, match="Too many open files") as error:
            provider.open_watch(told.put)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert "fs.inotify.max_user_instances" in error.value.hint
    assert list_open() == before


def test_nothing_stays_open(tmp_path, told):
    """Opened and closed a hundred times, a watch leaves no descriptor."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(100):
        provider = LocalProvider(root=tmp_path, home=tmp_path / "home")
        opened = provider.open_watch(told.put)
        opened.follow("shop/web", [file("a")])
        opened.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before

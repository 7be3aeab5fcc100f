import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

COUNT = 40


def wait_for(condition, seconds=300.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come in time"
        time.sleep(0.002)


def test_sigterm_finishes_what_is_in_hand_records_and_releases(shop, render_files):
    """A polite stop leaves a recorded run and a free lock, and the next run does the rest."""
    shop.commit(render_files(range(400)))
    process = shop.start("-c", "executor.parallelism=1", "reconcile", "web")
    wait_for(lambda: list((shop.folder / "live").glob("d/*.txt")))
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=600)
    assert process.returncode == 130, err
    assert "interrupted run 1" in shop.run("log", "web")
    assert "web is free" in shop.run("lock", "explain", "web")
    shop.run("reconcile", "web")
    assert len(shop.live()) == 400


def test_two_reconcilers_at_once_never_both_apply(shop, render_files):
    """P3: of several that start together each change is made once, and the log proves it."""
    shop.commit(render_files(range(30)))
    processes = [shop.start("reconcile", "web") for _ in range(4)]
    codes = [process.wait(timeout=600) for process in processes]
    for process in processes:
        process.communicate()
    assert set(codes) <= {0, 4}
    assert 0 in codes
    shop.run("reconcile", "web")
    shop.judge({f"d/{name}.txt": f"x{name}" for name in range(30)})
    assert shop.run("log", "web").count("created") == 1


def test_what_a_sleeper_starts_on_waking_is_cleared_away(shop):
    """P3: the process of the newest run stays; the one that a stale run started beside it goes."""
    shop.commit(
        "apiVersion: provisioning/v1\nkind: Process\nmetadata: {name: job}\n"
        "spec: {command: [sleep, '613']}\n"
    )
    shop.run("apply", "--yes")
    (kept,) = list_leaders("613")
    environ = Path(f"/proc/{kept}/environ").read_bytes().split(b"\0")
    stale = dict(each.decode().split("=", 1) for each in environ if each)
    owner = stale["PROVISIONING_MARK"].partition("#")[0]
    stale["PROVISIONING_MARK"] = f"{owner}#0-abcdef.1"
    child = subprocess.Popen(["sleep", "613"], env=stale, start_new_session=True)
    assert "left something unfinished beside it" in shop.run("plan")
    shop.run("reconcile", "web")
    child.wait(timeout=300)
    assert list_leaders("613") == [kept]
    assert "Nothing to do" in shop.run("reconcile", "web")
    shop.git("rm", "--quiet", "infra/web/example.yaml")
    shop.commit()
    shop.run("apply", "--yes", "--allow", "prune")
    assert list_leaders("613") == []


def list_leaders(argument):
    """Return those that lead a session and run, or wait for, `sleep` with *argument*."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ProcessLookupError):
            words = (each / "cmdline").read_bytes().split(b"\0")
            pid = int(each.name)
            if argument.encode() in words and os.getsid(pid) == pid:
                found.append(pid)
    return found


def test_losing_the_local_disk_loses_nothing(shop, render_files, tmp_path):
    """P10: with journal, cache and key gone, the state log and the marks are enough."""
    shop.commit(render_files(range(60)))
    process = shop.start("-c", "executor.parallelism=1", "reconcile", "web")
    wait_for(lambda: list((shop.folder / "live").glob("d/*.txt")))
    process.kill()
    process.communicate()
    lock = shop.git("show", "provisioning/web:lock.json")
    shop.home = tmp_path / "elsewhere"
    shop.environment |= {"PROVISIONING_HOME": str(shop.home), "HOME": str(shop.home)}
    assert '"run"' in lock
    shop.run("reconcile", "web")
    shop.judge({f"d/{name}.txt": f"x{name}" for name in range(60)})

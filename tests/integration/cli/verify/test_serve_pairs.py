"""Two services of one workspace: killed, stopped past their ttl, cut off; never both apply."""

import os
import random
import signal
import time
from pathlib import Path

import pytest
from running_service import RunningService, read_files

TTL = 10
SECONDS = str(random.randrange(10_000, 10_000_000))
"""What the processes of this test run sleep for, which tells them from those of another run."""


@pytest.fixture
def pair(shop, hub, tmp_path):
    """Two services with homes of their own, whose files lie in one place, and their hub."""
    shared = tmp_path / "shared"
    shared.mkdir()
    settings = shop.folder / "config/provisioning.yaml"
    lines = [each for each in settings.read_text().splitlines()
             if not each.startswith(("remote:", "local:"))]  # fmt: skip
    lines += [f"remote: {hub}", f"local: {{root: {shared}}}", f"lock: {{ttl: {TTL}}}"]
    settings.write_text("\n".join(lines) + "\n")
    shop.commit()
    shop.git("push", "--quiet", str(hub), "main")
    services = []
    for name in ("one", "two"):
        folder = tmp_path / name
        shop.git("clone", "--quiet", str(hub), str(folder))
        services.append(
            RunningService([folder], tmp_path / f"h{name}", shop.environment, ["serve.poll=1"])
        )
    shop.shared = shared
    yield services
    for each in services:
        assert each.stop() == 0


def publish(shop, hub, text, name="infra/api/a.yaml"):
    shop.commit(text, name)
    shop.git("push", "--quiet", str(hub), "main")


def judge(shop, services, wanted):
    for each in services:
        each.wait_idle()
    assert read_files(shop.shared / "d") == wanted
    for each in services:
        assert each.stop() == 0
    assert shop.run("fsck").count("linear, fenced, complete") == 2
    assert "held" not in shop.run("lock", "ls")


def test_two_never_both_apply(shop, hub, pair, render_files):
    """P3: every run is one service's; the other plans again, and finds nothing to do."""
    for each in pair:
        each.start()
    for number in range(5):
        publish(shop, hub, render_files(range(20), content=f"{number} "))
        wanted = {f"{name}.txt": f"{number} {name}" for name in range(20)}
        pair[0].wait(
            lambda wanted=wanted: read_files(shop.shared / "d") == wanted, "the push to be applied"
        )
    judge(shop, pair, wanted)
    runs = [each["run"] for service in pair for each in service.read_log("cycle-ended")
            if each.get("run")]  # fmt: skip
    assert len(runs) == len(set(runs))


def test_killed_in_the_middle(shop, hub, pair, render_files):
    """P2: the other one takes over at once, for it sees that the holder is gone."""
    for each in pair:
        each.start()
    chance = random.Random(1)
    for number in range(4):
        victim = pair[number % 2]
        cycles = len(victim.read_log("cycle-begun"))
        publish(shop, hub, render_files(range(40), content=f"{number} "))
        victim.wait(
            lambda victim=victim, cycles=cycles: len(victim.read_log("cycle-begun")) > cycles,
            "it to begin",
        )
        time.sleep(chance.uniform(0, 0.3))
        victim.kill()
        victim.start(waits=False)
    wanted = {f"{name}.txt": f"3 {name}" for name in range(40)}
    pair[0].wait(lambda: read_files(shop.shared / "d") == wanted, "the last push")
    judge(shop, pair, wanted)


def test_stopped_past_its_ttl_it_is_fenced(shop, hub, pair, tmp_path):
    """P3: who slept with the lock wakes without it, and what it writes then is refused."""
    gate = tmp_path / "gate"
    wait = f"while [ ! -e {gate} ]; do sleep 0.05; done"
    process = (
        "apiVersion: provisioning/v1\nkind: Process\nmetadata: {name: job}\n"
        f"spec: {{command: [/bin/sleep, '{SECONDS}'], ready: {{exec: [/bin/sh, -c, '{wait}']}}, "
        "timeout: 300}\n"
    )
    publish(shop, hub, process, "infra/api/a.yaml")
    sleeper, other = pair
    sleeper.start(waits=False)
    sleeper.wait(lambda: has(sleeper, "operation-begun", "infra", "api"), "the run to begin")
    sleeper.wait(find_jobs, "the process to be started")
    sleeper.send(signal.SIGSTOP)
    other.start()
    gate.touch()
    other.wait(lambda: other.get_result("api") in {"applied", "unchanged"}, "the take-over")
    assert other.read_log("taken-over")
    sleeper.send(signal.SIGCONT)
    sleeper.wait(lambda: has(sleeper, "cycle-ended", "result", "fenced"), "it to be fenced")
    for each in pair:
        each.wait_idle()
        assert each.stop() == 0
    assert shop.run("fsck").count("linear, fenced, complete") == 2
    assert len(stop_jobs()) == 1


def has(service, action, key, value):
    return any(each[key] == value for each in service.read_log(action))


def find_jobs():
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if each.read_bytes().split(b"\0")[:2] == [b"/bin/sleep", SECONDS.encode()]:
                found.append(int(each.parent.name))
        except OSError:
            continue
    return found


def stop_jobs():
    found = find_jobs()
    for pid in found:
        os.kill(pid, signal.SIGKILL)
    return found

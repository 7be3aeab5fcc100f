"""`lock.backend: gitea`: runs that are killed at random and around each write."""

import random
import shutil
import signal
from contextlib import suppress
from subprocess import TimeoutExpired

import pytest
from gitea_proxy import Fault, FaultyProxy
from gitea_workspace import CALL, PUSH, host, judge, publish

pytestmark = [pytest.mark.peer("gitea"), pytest.mark.xdist_group("gitea-lock")]


@pytest.fixture
def hosted(shop, gitea):
    """A workspace whose repository is at Gitea, and whose locks are written by its API."""
    return host(shop, gitea)


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

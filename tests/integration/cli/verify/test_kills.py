"""Runs that are killed at random moments, many times."""

import random
import signal
import time

import pytest

COUNT = 40


@pytest.mark.parametrize("part", range(5))
def test_kill_9_at_random_points(shop, render_files, part):
    """P2: ten kills in a row at any moment of applies, then one run makes the world right."""
    chance = random.Random(part)
    for round_ in range(10):
        names = sorted(chance.sample(range(COUNT), 25))
        shop.commit(render_files(names, content=f"round {round_} "))
        process = shop.start("reconcile", "web")
        time.sleep(chance.uniform(0.25, 0.75))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    names = range(0, COUNT, 2)
    shop.commit(render_files(names, content="end "))
    shop.run("reconcile", "web")
    shop.judge({f"d/{name}.txt": f"end {name}" for name in names})

"""Changes the core a little, at many places, and sees whether a test notices.

    .venv/bin/python tests/mutation/run.py [--mutants N] [--seed N] [--only MODULE] [--write PAGE]

Each mutant runs in a fork of this process, which has loaded everything but the product. What no
test notices is told in `explained.py`, or is a test that is missing.
"""

import argparse
import contextlib
import importlib.abc
import importlib.util
import os
import random
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import hypothesis  # noqa: F401  loaded once, for all forks
import msgspec  # noqa: F401
import pydantic  # noqa: F401
import pytest
from mutants import list_mutants
from page import Tally, write_page

ROOT = Path(__file__).parents[2]
CYCLE = ("unit/reconciler/test_cycle.py", "unit/reconciler/test_moves.py")
LIVES = tuple(f"unit/reconciler/test_{each}.py" for each in ("lifecycles", "removed", "handovers"))
PLANS = ("property/test_plan.py", "property/test_order.py", "known_bugs")
WINDOWS = ("unit/core/policy/test_windows.py", "unit/reconciler/test_windows.py")
MODULES = {
    "plan.compute": ("unit/core/plan/test_compute.py", *CYCLE, *LIVES, *PLANS),
    "plan.prune": ("unit/core/plan/test_compute.py", *CYCLE, *LIVES, *PLANS),
    "plan.diff": ("unit/core/plan/test_diff.py", "unit/core/model/test_sensitive.py", *CYCLE),
    "policy.builtin_gates": (
        "unit/core/policy/test_gates.py",
        "unit/core/policy/test_budgets.py",
        *WINDOWS,
        *CYCLE,
    ),
    "statelog.lock_expiry": (
        "unit/core/statelog/test_lock_expiry.py",
        "unit/reconciler/execution/test_lease.py",
    ),
    "statelog.transitions": (
        "unit/core/statelog/test_transitions.py",
        "unit/core/statelog/test_fsck.py",
        *CYCLE,
    ),
    "statelog.entries": ("unit/core/statelog/test_transitions.py", *CYCLE),
    "statelog.fsck": ("unit/core/statelog/test_fsck.py",),
    "model.graph": ("unit/core/model/test_graph.py", "unit/core/plan/test_operations.py"),
    "plan.ownership": ("unit/core/plan/test_compute.py", *CYCLE),
    "policy.gates": ("unit/core/policy/test_gates.py", "unit/core/policy/test_budgets.py"),
    "policy.targeting": ("unit/core/policy/test_targeting.py",),
    "plan.operations": ("unit/core/plan/test_operations.py", *CYCLE, "property/test_order.py"),
    "plan.plan_cache": ("unit/core/plan/test_plan_cache.py", "property/test_looking.py"),
    "policy.suspensions": (
        "unit/core/policy/test_suspensions.py",
        "unit/reconciler/test_ownership.py",
    ),
    "policy.conflicts": ("unit/reconciler/test_fights.py",),
    "policy.budgets": ("unit/core/policy/test_budgets.py",),
    "plan.waves": ("unit/core/plan/test_waves.py",),
    "policy.windows": WINDOWS,
    "policy.cron": WINDOWS,
    "scheduling.backoff": ("unit/core/scheduling/test_backoff.py",),
    "scheduling.workqueue": (
        "unit/core/scheduling/test_workqueue.py",
        "unit/core/scheduling/test_workqueue_ready.py",
        "property/test_work.py",
    ),
    "policy.approvals": ("unit/core/policy/test_approvals.py", "unit/core/policy/test_gates.py"),
    "reviews.drift_acceptance": ("unit/core/reviews/test_drift_acceptance.py",),
}
"""The tests that speak of each module, the quick ones first."""

SLOWER = 4
"""A mutant that takes so many times as long as the module itself is noticed."""


class Replaced(importlib.abc.MetaPathFinder, importlib.abc.SourceLoader):
    """Loads one module from other source than its file's."""

    def __init__(self, name: str, source: str, path: str) -> None:
        self.name, self.source, self.path = name, source, path

    def find_spec(self, name, path=None, target=None):
        if name != self.name:
            return None
        return importlib.util.spec_from_file_location(name, self.path, loader=self)

    def get_filename(self, name):
        return self.path

    def get_data(self, path):
        return self.source.encode()

    def path_stats(self, path):
        raise OSError


def get_path(module: str) -> Path:
    """Return the file of *module*, which is named as below `provisioning.core`."""
    return ROOT / "provisioning/core" / f"{module.replace('.', '/')}.py"


def run_tests(module: str, source: str, tests: tuple[str, ...], limit: float) -> bool:
    """Tell whether the tests pass with *source* in place of the module's own, in time."""
    child = os.fork()
    if child == 0:
        os.setsid()
        with contextlib.suppress(BaseException):
            _run_tests(module, source, tests)
        os._exit(1)
    end = time.monotonic() + limit
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status == 0
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def _run_tests(module: str, source: str, tests: tuple[str, ...]) -> None:
    name = f"provisioning.core.{module}"
    path = str(get_path(module))
    sys.meta_path.insert(0, Replaced(name, source, path))
    sys.dont_write_bytecode = True
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    os.chdir(ROOT)
    files = [f"tests/{each}" for each in tests if (ROOT / "tests" / each).exists()]
    options = ["-x", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "-p", "no:xdist"]
    os._exit(pytest.main([*options, "-W", "ignore", "--hypothesis-seed=0", *files]))


def try_module(module: str, count: int, seed: int) -> Tally:
    """Try *count* mutants of *module*, chosen by *seed*."""
    source = get_path(module).read_text("utf-8")
    mutants = list_mutants(source)
    tests = MODULES[module]
    begin = time.monotonic()
    if not run_tests(module, source, tests, 600):
        raise SystemExit(f"the tests of {module} fail without any change")
    limit = 20 + SLOWER * (time.monotonic() - begin)
    chosen = random.Random(f"{seed} {module}").sample(mutants, min(count, len(mutants)))
    tally = Tally(module, len(mutants))
    for mutant in sorted(chosen, key=lambda each: each.line):
        tally.tried += 1
        if run_tests(module, mutant.source, tests, limit):
            tally.survivors.append(mutant)
            print(f"  {module}.py:{mutant.line}: {mutant.name}", flush=True)
    print(f"{module}: {tally.tried} tried, {len(tally.survivors)} unnoticed", flush=True)
    return tally


def main() -> None:
    """Try the modules, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutants", type=int, default=20, help="tried of each module")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=MODULES, action="append")
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    names = arguments.only or MODULES
    tallies = [try_module(name, arguments.mutants, arguments.seed) for name in names]
    if arguments.write:
        write_page(arguments.write, tallies, MODULES, arguments.mutants, arguments.seed)


if __name__ == "__main__":
    main()

"""Plays many histories of the lock and the state log, and prints what they met.

    python tests/simulation/machine/run.py [--histories N] [--first SEED] [--jobs N] [--broken HOW]
    python tests/simulation/machine/run.py --seed SEED [--broken HOW]
    python tests/simulation/machine/run.py --beside-git S [S …]

With `--seed` it plays that one and prints its trace; with `--beside-git` each entry of these seeds
is appended to a real repository, too. It exits with 1 if a promise was broken.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "support"))

from beside_git import LogBesideGit
from breakages import BREAKAGES
from histories import History, simulate
from memory_statelogs import SharedBranch

CHUNK = 250
SHOWN = 5


def play(first: int, broken: str | None) -> tuple[Counter[str], list[History]]:
    """Play the seeds from *first* on; return what they met, and those that broke a promise."""
    counts: Counter[str] = Counter()
    failed = []
    with BREAKAGES[broken]() if broken else nullcontext():
        for seed in range(first, first + CHUNK):
            history = simulate(seed)
            counts += history.counts
            counts["entries"] += sum("server " in line for line in history.trace)
            if history.faults:
                failed.append(history)
    return counts, failed


def show(seed: int, broken: str | None) -> bool:
    """Print the trace of one seed."""
    with BREAKAGES[broken]() if broken else nullcontext():
        history = simulate(seed)
    print("\n".join(history.trace))
    print("\n".join(f"BROKEN: {fault}" for fault in history.faults) or "no promise was broken")
    return bool(history.faults)


def play_beside_git(seeds: list[int]) -> bool:
    """Play *seeds*, and make sure that real Git takes, refuses and tells the same."""
    for seed in seeds:
        logs: list[LogBesideGit] = []

        def build(
            infra: str, branch: SharedBranch, logs: list[LogBesideGit] = logs
        ) -> LogBesideGit:
            logs.append(LogBesideGit(infra, branch))
            return logs[-1]

        history = simulate(seed, build)
        print(f"seed {seed}: {logs[0].check_history()} entries, the same in Git")
        if history.faults:
            return True
    return False


def main() -> None:
    """Play them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="the seed of the first history")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--broken", choices=BREAKAGES)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--beside-git", type=int, nargs="+", metavar="SEED")
    arguments = parser.parse_args()
    if arguments.beside_git:
        sys.exit(play_beside_git(arguments.beside_git))
    if arguments.seed is not None:
        sys.exit(show(arguments.seed, arguments.broken))
    begin = time.monotonic()
    counts: Counter[str] = Counter()
    failed: list[History] = []
    chunks = range(arguments.first, arguments.first + arguments.histories, CHUNK)
    with ProcessPoolExecutor(arguments.jobs) as pool:
        for met, broke in pool.map(play, chunks, [arguments.broken] * len(chunks)):
            counts += met
            failed += broke
    seconds = time.monotonic() - begin
    total = len(chunks) * CHUNK
    print("| What | How often |\n| --- | --- |")
    for what, count in sorted(counts.items()):
        print(f"| {what} | {count:,} |")
    print(f"\n{total:,} histories in {seconds:.0f} s, {len(failed)} broke a promise")
    for history in failed[:SHOWN]:
        print(f"seed {history.seed}: {history.faults[0]}")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()

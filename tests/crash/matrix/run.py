"""Cuts every scenario off at its effects, goes on, judges the world, and writes the table.

    python tests/crash/matrix/run.py [--every N] [--part K/N] [--jobs N] [--scenario NAME]
        [--write FILE]

Each run is the real program in a process of its own, on real files, processes and Git; a kill
is a real SIGKILL. The effects are found by tracing a whole run first. Most of a case's time it
waits, for a lock file that a killed git left, so more scenarios than processors run side by side.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from cutting import Cut, build_cutter, preload
from report import Effort, write_report
from scenarios import SCENARIOS
from stage import Stage
from tallies import CUTS, HOMES, Tally

MEMORY = Path("/dev/shm")


def find_memory() -> Path | None:
    """Return a folder in memory that keeps ownership marks: a kill is no power cut, so it counts.

    None is the usual place of temporary files.
    """
    try:
        with tempfile.NamedTemporaryFile(dir=MEMORY) as file:
            os.setxattr(file.name, "user.probe", b"")
    except OSError:
        return None
    return MEMORY


def try_scenario(name: str, *, folder: Path, every: int, part: tuple[int, int]) -> Tally:
    """Cut one scenario at every *every*-th of its effects, in all ways; or a part of these."""
    preload()
    number = next(n for n, each in enumerate(SCENARIOS) if each.name == name)
    stage = Stage(SCENARIOS[number], folder / f"s{number}")
    stage.prepare()
    try:
        whole = stage.cut(Cut.NONE, 0)
        tally = Tally(name, whole.effects)
        tally.failed += [f"{name}, not cut: {fault}" for fault in stage.recover("same")]
        _try_cuts(stage, tally, every, part)
    finally:
        stage.close()
    return tally


def _try_cuts(stage: Stage, tally: Tally, every: int, part: tuple[int, int]) -> None:
    number, count = part
    cases = [
        (at, cut, home) for at in range(1, len(tally.effects) + 1) for cut in CUTS for home in HOMES
    ]
    for at, cut, home in cases[::every][number - 1 :: count]:
        stage.restore()
        ending = stage.cut(cut, at)
        if not ending.is_cut:
            continue
        tally.tried[cut, home] += 1
        what = f"{tally.scenario}, {cut.title} effect {at} ({ending.effects[at - 1]}), {home} home"
        tally.failed += [f"{what}: {fault}" for fault in stage.recover(home)]


def read_part(text: str) -> tuple[int, int]:
    """Return the number of a part, and how many there are: `3/8`."""
    number, count = map(int, text.split("/"))
    if not 1 <= number <= count:
        raise ValueError(text)
    return number, count


def main() -> None:
    """Fill the matrix; exit with 1 if the world was wrong in any case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="try each N-th case only")
    parser.add_argument("--part", type=read_part, default=(1, 1), help="try the K-th of N parts")
    parser.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 1))
    parser.add_argument("--scenario", action="append", choices=[each.name for each in SCENARIOS])
    parser.add_argument("--write", type=Path, help="write the table into this file")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="crash-matrix-", dir=find_memory()))
    try:
        if "cutter.so" not in os.environ.get("LD_PRELOAD", ""):
            library = build_cutter(folder)
            os.environ["LD_PRELOAD"] = str(library)
            code = os.spawnv(os.P_WAIT, sys.executable, [sys.executable, *sys.argv])
            raise SystemExit(code)
        _fill(arguments, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fill(arguments: argparse.Namespace, folder: Path) -> None:
    names = arguments.scenario or [each.name for each in SCENARIOS]
    begin = time.monotonic()
    work = partial(try_scenario, folder=folder, every=arguments.every, part=arguments.part)
    with ProcessPoolExecutor(arguments.jobs, mp_context=get_context("spawn")) as pool:
        tallies = [_tell(tally) for tally in pool.map(work, names)]
    failed = [each for tally in tallies for each in tally.failed]
    count = sum(tally.tried.total() for tally in tallies)
    seconds = time.monotonic() - begin
    print(f"{count} cuts in {seconds:.0f} s, {len(failed)} wrong worlds")
    if arguments.write:
        effort = Effort(arguments.every, arguments.jobs, seconds)
        write_report(arguments.write, tallies, effort)
    sys.exit(bool(failed))


def _tell(tally: Tally) -> Tally:
    counts = f"{len(tally.effects)} effects, {tally.tried.total()} cuts, {len(tally.failed)} wrong"
    print(f"{tally.scenario}: {counts}", flush=True)
    for each in tally.failed[:20]:
        print(f"  {each}", flush=True)
    return tally


if __name__ == "__main__":
    main()

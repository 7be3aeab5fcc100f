"""Times whole processes, and keeps the rows of the table."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from pathlib import Path

RUNS = 5


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what was measured, what came out, and what it should be."""

    what: str
    result: str
    reach: str = ""

    def __str__(self) -> str:
        return f"| {self.what} | {self.result} | {self.reach} |"


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds by the clock and of the processor, the least of several runs, and peak MiB."""

    seconds: float
    peak: float
    processor: float

    def __str__(self) -> str:
        return f"{self.seconds:.3f} s ({self.processor:.3f} s CPU), {self.peak:.0f} MiB"


def measure(
    command: Sequence[str],
    folder: Path,
    *,
    runs: int = RUNS,
    prepare: Callable[[], None] | None = None,
    codes: Container[int] = (0,),
) -> Cost:
    """Run *command* several times, after one that does not count unless *runs* is 1.

    *prepare* runs before each, outside of the clock; *codes* are the exit codes that are fine.
    """
    seconds, processor, peaks = [], [], []
    for number in range(runs + (runs > 1)):
        if prepare:
            prepare()
        begin = time.perf_counter()
        quiet = subprocess.DEVNULL
        with subprocess.Popen(command, cwd=folder, stdout=quiet, stderr=quiet) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in codes:
            raise SystemExit(f"{' '.join(command)} failed with {process.returncode} in {folder}")
        if number or runs == 1:
            seconds.append(time.perf_counter() - begin)
            processor.append(usage.ru_utime + usage.ru_stime)
            peaks.append(usage.ru_maxrss / 1024)
    return Cost(min(seconds), max(peaks), min(processor))

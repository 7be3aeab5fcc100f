"""Writes the crash matrix as a page."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cutting import Cut
from tallies import CUTS, HOMES, Tally

PAGE = """# The crash matrix

{cuts:,} times a real command was cut off, {kills:,} of these by a real `kill -9`; then it was
given again where `apply` does not finish it, one more `apply` ran, and after it the world was
judged by `git`, `/proc` and the file system alone. **{wrong} worlds were wrong.** A world is right
if all that the commit asks for is there once, nothing else is, what was made by hand is untouched,
the branch asks for what it should and is checked out as it is, the state log is linear with fencing
tokens in order and records just that, no lock and no intention are left, and another plan is empty.

This page is written by `make crash-matrix`, which here tried every {every} case, in {minutes:.0f}
minutes with {jobs} scenarios side by side. The effects are not listed by hand: a small library that
stands before libc (`tests/crash/matrix/cutter.c`) sees every call that changes a disk, starts a
program or signals one, made by Python, libgit2 or git. A test runs the same under `strace` and
fails if the kernel sees a call that the library does not.

- *killed before*, *killed after*: the process, and the git it may have started, get SIGKILL there.
- *answer lost*: the call is done and answers "input/output error".
- *disk full*: this and every later call that needs space answers "no space left on device".
- *same home*: the same machine goes on, with its journal. *empty home*: another local disk.

| Scenario | Effects | {columns} |
| --- | --- | {rules} |
{rows}

What is cut off, summed over one whole run of each scenario:

| Where | Calls |
| --- | --- |
{places}

A git that is killed while `undo` checks out leaves lock files and half a work tree, as any
`git merge` does. That is the only thing a person puts right here, as the errors say: the lock files
are removed and what was checked out is stashed before `undo` is given again.

What is not cut off here:

- Lost answers of a provider, a machine of another name that has to wait for the lock's ttl, and the
  moves and replacements of an in-memory cloud are cut off by exception instead, in
  `tests/crash/test_cut_off.py`; throttled calls are in
  `tests/unit/reconciler/execution/test_executor.py`.
- `lock.backend: gitea`, whose every case needs a server of its own, is killed around each write and
  at random: see [its page](gitea-lock.md).
- Reviews, `undo --pr` and `forge` write at a forge, and are not cut off yet.
"""

PLACES = (
    ("live files", re.compile(r"shop/live")),
    (
        "branch and work tree",
        re.compile(r"shop/(infra|\.git/(index|\w*HEAD|(logs/)?refs/heads/main))|logs/HEAD"),
    ),
    ("state log: objects", re.compile(r"objects(/|$)")),
    ("state log: the branch", re.compile(r"/(refs|logs|packed-refs)|provisioning\.lock")),
    ("journal", re.compile(r"/orchestrator")),
    ("cache", re.compile(r"/cache|/\.")),
    ("notes on processes", re.compile(r"/services")),
    ("processes", re.compile(r"^\w+ /|^(exec|signal) ")),
)


@dataclass(frozen=True, slots=True)
class Effort:
    """Each how many-th case was tried, how many scenarios ran at a time, and for how long."""

    every: int
    jobs: int
    seconds: float


def write_report(path: Path, tallies: Sequence[Tally], effort: Effort) -> None:
    """Write *tallies*, and what they took, to *path*."""
    cuts = sum(tally.tried.total() for tally in tallies)
    kills = sum(
        count
        for tally in tallies
        for (cut, _), count in tally.tried.items()
        if cut in {Cut.BEFORE, Cut.AFTER}
    )
    columns = [f"{cut.title}, {home} home" for cut in CUTS for home in HOMES]
    page = PAGE.format(
        cuts=cuts,
        kills=kills,
        wrong=sum(len(tally.failed) for tally in tallies) or "No",
        every={1: "single", 2: "second", 3: "third"}.get(effort.every, f"{effort.every}th"),
        minutes=effort.seconds / 60,
        jobs=effort.jobs,
        columns=" | ".join(columns),
        rules=" | ".join("---" for _ in columns),
        rows="\n".join(map(_render_row, tallies)),
        places="\n".join(_render_places(name for tally in tallies for name in tally.effects)),
    )
    path.write_text(page, encoding="utf-8")


def _render_row(tally: Tally) -> str:
    cells = [tally.scenario, str(len(tally.effects))]
    cells += [str(tally.tried[cut, home]) for cut in CUTS for home in HOMES]
    return f"| {' | '.join(cells)} |"


def _render_places(effects: Iterable[str]) -> Iterable[str]:
    counts: dict[str, Counter[str]] = {}
    for effect in effects:
        place = next((name for name, pattern in PLACES if pattern.search(effect)), "other")
        counts.setdefault(place, Counter())[effect.partition(" ")[0]] += 1
    for place, calls in sorted(counts.items()):
        yield f"| {place} | {', '.join(f'{call} {n}' for call, n in calls.most_common())} |"

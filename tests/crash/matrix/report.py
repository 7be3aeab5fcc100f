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

{cuts:,} times a test cut off a real command, {kills:,} of these by a real `kill -9`. The test then
repeated the command if `apply` does not finish it, ran `apply` once more, and checked the result
with `git`, `/proc` and the file system alone. **{wrong} results were wrong.** A result is right if
every declared resource exists once and no other does, foreign objects are unchanged, the branch has
the right content and is checked out, the state log is linear with fencing tokens in order and
records exactly the live state, no lock and no intention are left, and another plan is empty.

`make crash-matrix` writes this page. This time it tried every {every} case, in {minutes:.0f}
minutes with {jobs} scenarios in parallel. A small library in front of libc
(`tests/crash/matrix/cutter.c`) finds the effects: every call of Python, libgit2 or git that changes
a disk, starts a program or sends a signal. A test runs the same under `strace` and fails if the
kernel sees a call that the library missed.

- *killed before*, *killed after*: SIGKILL for the process, and for the git process that it started.
- *answer lost*: the call is executed and returns "input/output error".
- *disk full*: this and every later call that needs space returns "no space left on device".
- *same home*: the same machine continues, with its journal. *empty home*: another local disk.

| Scenario | Effects | {columns} |
| --- | --- | {rules} |
{rows}

The effects of one whole run of each scenario, summed up:

| Place | Calls |
| --- | --- |
{places}

A git process that is killed during the checkout of `undo` leaves lock files and half a work tree,
like any `git merge`. Only this case needs a person, and the errors say so: remove the lock files
and stash the half work tree before you repeat `undo`.

The matrix does not contain:

- lost answers of a provider, another machine that waits for the lock's ttl, and moves and
  replacements in an in-memory cloud: `tests/crash/test_cut_off.py` raises exceptions instead;
  `tests/unit/reconciler/execution/test_executor.py` covers throttled calls;
- `lock.backend: gitea`, because every case needs its own server:
  [its page](../../explanation/gitea-lock.md) describes kills around each write and at random;
- writes to a forge by reviews, `undo --pr` and `forge`.
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

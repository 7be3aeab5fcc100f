"""Measures whole processes, warm and cold, beside terraform if the machine has it.

    .venv/bin/python bench/run.py [--only WORD] [--write bench/RESULTS.md]

Each row is the quickest of five runs after one that does not count; what takes long is run once.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from chart import write_chart
from gitea_lock import measure_gitea
from measuring import Row, measure
from reviews import measure_reviews
from serving import measure_serving
from sops_files import measure_sops
from terraform import measure_terraform
from workspaces import (
    change_one,
    make_workspace,
    render_chain,
    render_files,
    render_layers,
    render_wide,
)

PLAN, APPLY = ["provisioning", "plan"], ["provisioning", "apply", "--yes"]

Rows = Iterator[Row]


def measure_start(base: Path) -> Rows:
    """The help, and a plan of nothing."""
    yield Row("`provisioning --help`", str(measure(["provisioning", "--help"], base)), "50 ms")
    folder = make_workspace(base / "empty", {"example.yaml": "# nothing\n"})
    yield Row("plan of an empty infra", str(measure(PLAN, folder)), "120 ms")


def measure_values(base: Path) -> Rows:
    """A thousand values that depend on each other."""
    folder = make_workspace(base / "chain", render_chain(1000))
    first = measure(APPLY, folder, runs=1)
    yield Row("first apply, 1,000 in a chain", str(first), "2 s")
    yield Row("no-op plan, 1,000 in a chain", str(measure(PLAN, folder)), "0.3 s, 100 MiB")
    folder = make_workspace(base / "layers", render_layers(1000))
    measure(APPLY, folder, runs=1)
    yield Row("no-op plan, 1,000 in 10 layers", str(measure(PLAN, folder)), "0.3 s, 100 MiB")


def measure_files(base: Path) -> Rows:
    """A thousand real files."""
    plain = measure_piece("plain-files")["seconds"]
    folder = make_workspace(base / "files", render_files(1000))
    first = measure(APPLY, folder, runs=1)
    result = f"{first}; the loop {plain:.3f} s: {first.seconds / plain:.1f}×"
    yield Row("first apply, 1,000 files, beside a loop that writes and fsyncs", result, "2×")
    yield Row("no-op plan, 1,000 files, each read", str(measure(PLAN, folder)), "0.3 s")


def measure_size(count: int, reach: str, base: Path) -> Rows:
    """Many values that do not know each other, a hundred in a manifest."""
    folder = make_workspace(base / f"wide-{count}", render_wide(count))
    yield Row(f"first apply, {count:,} wide", str(measure(APPLY, folder, runs=1)))
    noop = Row(f"no-op plan, {count:,} wide", str(measure(PLAN, folder)), reach)
    yield noop
    change_one(folder, "m0000.yaml")
    warm = measure(PLAN, folder)
    yield Row(f"plan of 1 change among {count:,}, warm", str(warm), WARM.get(count, ""))
    cache = Path(os.environ["PROVISIONING_HOME"]) / "cache"
    cold = measure(PLAN, folder, runs=3, prepare=lambda: shutil.rmtree(cache, ignore_errors=True))
    yield Row(f"the same, cold cache, {count:,}", str(cold), COLD.get(count, ""))


WARM = {10_000: "0.3 s", 100_000: "0.5 s"}
COLD = {100_000: "10 s, 500 MiB"}


def measure_pieces(base: Path) -> Rows:
    """What one run costs besides the plan."""
    del base
    executed = measure_piece("executor")["operations a second"]
    yield Row("executor, no-op provider, journal on", f"{executed:,.0f} operations/s", "2,000")
    seconds = measure_piece("record")["seconds"]
    yield Row("record commit, 1 change among 100,000", f"{seconds * 1000:.0f} ms", "50 ms")
    both = measure_piece("exchange")
    ours, raw = both["seconds"], both["two pushes"]
    ratio = f"{ours * 1000:.0f} ms; two `git push` {raw * 1000:.0f} ms: {ours / raw:.2f}×"
    yield Row("acquire and record on a remote, beside two pushes", ratio, "1.3×")


def measure_history(base: Path) -> Rows:
    """State logs of many runs, and what is left of one that is compacted."""
    for runs, reaches in ((10_000, ("0.3 s", "0.2 s", "5 s")), (100_000, ("", "", ""))):
        folder = make_workspace(base / f"history{runs}", {"example.yaml": "# nothing\n"})
        measure_piece("history", str(folder), str(runs))
        for command, reach in zip(("log", "status", "fsck"), reaches, strict=True):
            cost = measure(["provisioning", command, "web"], folder, runs=3, codes={0, 3})
            yield Row(f"`{command}` of {runs:,} runs", str(cost), reach)
        cost = measure(["provisioning", "gc", "web", "--yes"], folder, runs=1)
        yield Row(f"`gc` of {runs:,} runs", str(cost), "")


def measure_piece(*arguments: str) -> dict[str, float]:
    """Run one of `pieces.py` in a process of its own."""
    command = [sys.executable, str(Path(__file__).with_name("pieces.py")), *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


GROUPS: dict[str, Callable[[Path], Rows]] = {
    "start": measure_start,
    "values": measure_values,
    "files": measure_files,
    "pieces": measure_pieces,
    "history": measure_history,
    "10": partial(measure_size, 10, ""),
    "100": partial(measure_size, 100, ""),
    "1000": partial(measure_size, 1_000, "0.3 s, 100 MiB"),
    "10000": partial(measure_size, 10_000, "0.8 s, 150 MiB"),
    "100000": partial(measure_size, 100_000, ""),
    "secrets": measure_sops,
    "gitea": measure_gitea,
    "reviews": measure_reviews,
    "service": measure_serving,
    "terraform": measure_terraform,
}


def describe_machine() -> str:
    """Say what the figures were taken on."""
    git = subprocess.run(["git", "--version"], check=True, capture_output=True, text=True).stdout
    return (
        f"{os.cpu_count()} cores, {platform.system()} {platform.release().partition('-')[0]}, "
        f"Python {platform.python_version()}, {git.strip()}, load average {os.getloadavg()[1]:.0f}"
    )


PAGE = """# Results

Written by `make bench`: whole processes, the quickest of five after a warm-up, by the clock and of
the processor (user and system) alone; first applies and Terraform once. {machine}.
Machines like these are noisy: look at the ratios.

| What | Measured | To reach |
| --- | --- | --- |
{rows}
"""


def main() -> None:
    """Print the table, and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=GROUPS, action="append", help="measure this group")
    parser.add_argument("--write", type=Path, help="write the page, before its first heading below")
    arguments = parser.parse_args()
    base = Path(tempfile.mkdtemp())
    os.environ["PROVISIONING_HOME"] = str(base / "home")
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    rows: list[Row] = []
    try:
        for name in arguments.only or GROUPS:
            for row in GROUPS[name](base):
                print(row, flush=True)
                rows.append(row)
    finally:
        shutil.rmtree(base)
    if arguments.write:
        write_page(arguments.write, rows)
        write_chart(arguments.write)


def write_page(path: Path, rows: list[Row]) -> None:
    """Write the table over the old one; what people wrote below it, from `##` on, stays.

    So do rows of what was not measured now.
    """
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    top, heading, comments = old.partition("\n## ")
    known = {line.split("|")[1].strip(): line for line in top.splitlines() if line[:2] == "| "}
    known = {what: line for what, line in known.items() if what not in {"What", "---"}}
    known |= {row.what: str(row) for row in rows}
    page = PAGE.format(machine=describe_machine(), rows="\n".join(known.values()))
    path.write_text(page + heading + comments, encoding="utf-8")


if __name__ == "__main__":
    main()

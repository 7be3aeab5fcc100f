"""Measures whole processes, several times each, and prints the median and the peak memory.

.venv/bin/python bench/run.py [--terraform]
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from workspaces import commit, make_workspace, render_chain, render_files, render_wide

RUNS = 5


def measure(command: Sequence[str], folder: Path, runs: int = RUNS) -> tuple[float, float]:
    """Return the median seconds and peak MiB of *command*, after a run that does not count."""
    seconds, peaks = [], []
    for number in range(runs + (runs > 1)):
        begin = time.perf_counter()
        quiet = subprocess.DEVNULL
        with subprocess.Popen(command, cwd=folder, stdout=quiet, stderr=quiet) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} failed with {process.returncode}")
        if number or runs == 1:
            seconds.append(time.perf_counter() - begin)
            peaks.append(usage.ru_maxrss / 1024)
    return statistics.median(seconds), max(peaks)


def show(what: str, command: Sequence[str], folder: Path, runs: int = RUNS) -> None:
    """Measure and print one row."""
    seconds, peak = measure(command, folder, runs)
    print(f"| {what} | {seconds:.3f} s | {peak:.0f} MiB |", flush=True)


def run_terraform(base: Path, count: int) -> None:
    """Measure terraform on a chain of *count* `terraform_data`, for comparison."""
    folder = base / "terraform"
    folder.mkdir()
    blocks = ['resource "terraform_data" "v0" {\n  input = "start"\n}\n']
    blocks += [
        f'resource "terraform_data" "v{n}" {{\n  input = terraform_data.v{n - 1}.output\n}}\n'
        for n in range(1, count)
    ]
    (folder / "main.tf").write_text("".join(blocks), encoding="utf-8")
    subprocess.run(["terraform", "init"], cwd=folder, check=True, capture_output=True)
    show(f"terraform apply, chain of {count}", ["terraform", "apply", "-auto-approve"], folder, 1)
    show(f"terraform plan, chain of {count}", ["terraform", "plan"], folder, 1)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--terraform", action="store_true", help="measure terraform beside it")
    arguments = parser.parse_args()
    base = Path(tempfile.mkdtemp())
    os.environ["PROVISIONING_HOME"] = str(base / "home")
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    print("| What | Median | Peak |\n| --- | --- | --- |")
    try:
        show("`--help`", ["provisioning", "--help"], base)
        for name, manifests in (
            ("1,000 in a chain", render_chain(1000)),
            ("10,000 wide", render_wide(10000)),
            ("1,000 files", render_files(1000)),
        ):
            folder = make_workspace(base / name.replace(" ", "-").replace(",", ""), manifests)
            show(f"first apply, {name}", ["provisioning", "apply", "--yes"], folder, 1)
            show(f"no-op plan, {name}", ["provisioning", "plan"], folder)
            manifest = folder / "infra/web/example.yaml"
            manifest.write_text(manifest.read_text(encoding="utf-8") + "\n# changed\n")
            commit(folder, "touch")
            show(f"plan of a touched manifest, {name}", ["provisioning", "plan"], folder, 1)
        if arguments.terraform:
            run_terraform(base, 1000)
    finally:
        shutil.rmtree(base)


if __name__ == "__main__":
    main()

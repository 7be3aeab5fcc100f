"""Measures terraform on the same graphs."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from measuring import Row, measure
from workspaces import LAYERS

COUNT, WIDE = 1000, 10_000


def measure_terraform(base: Path) -> Iterator[Row]:
    """Apply and plan `terraform_data`, its built-in counterpart of `Value`."""
    if shutil.which("terraform") is None:
        return
    chain = [(n - 1 if n else None) for n in range(COUNT)]
    yield from _measure(base / "tf-chain", "1,000 in a chain", chain)
    width = COUNT // LAYERS
    layers = [(n - width if n >= width else None) for n in range(COUNT)]
    yield from _measure(base / "tf-layers", "1,000 in 10 layers", layers)
    yield from _measure(base / "tf-wide", "10,000 wide", [None] * WIDE)


def _measure(folder: Path, what: str, needs: list[int | None]) -> Iterator[Row]:
    folder.mkdir()
    blocks = (
        f'resource "terraform_data" "v{n}" {{\n  input = '
        + (f'"value {n}"' if need is None else f"terraform_data.v{need}.output")
        + "\n}\n"
        for n, need in enumerate(needs)
    )
    (folder / "main.tf").write_text("".join(blocks), encoding="utf-8")
    subprocess.run(["terraform", "init"], cwd=folder, check=True, capture_output=True)
    apply = measure(["terraform", "apply", "-auto-approve"], folder, runs=1)
    yield Row(f"terraform: first apply, {what}", str(apply))
    yield Row(f"terraform: no-op plan, {what}", str(measure(["terraform", "plan"], folder, runs=1)))

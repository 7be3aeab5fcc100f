"""Secrets: ours beside the `sops` program, if the machine or the cache of peers has it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from measuring import Row, measure

FILES, VALUES, MEGABYTES = 1000, 10, 10
OURS = ["provisioning", "sops"]


def find_sops() -> str | None:
    """Return the program, from the `PATH` or built for the tests."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    built = sorted((home / "provisioning-peers").glob("*/sops"))
    return shutil.which("sops") or (str(built[-1]) if built else None)


def measure_sops(base: Path) -> Iterator[Row]:
    """A file, many files, and a large one."""
    theirs = find_sops()
    if theirs is None:
        yield Row("secrets", "`sops` is not on this machine", "")
        return
    folder = prepare(base / "sops")
    pairs = {
        name: (measure([theirs, "-d", name], folder), measure([*OURS, "-d", name], folder))
        for name in ("one.enc.yaml", "one.enc.json", "big.enc")
    }
    yaml, json_, big = pairs.values()
    yield Row("`sops -d` of one YAML file, ours beside theirs", compare(*yaml), "1×")
    yield Row("`sops -d` of one JSON file, ours beside theirs", compare(*json_), "1×")
    many = open_many(folder)
    ratio = yaml[0].seconds * FILES / many["yaml"]
    text = (
        f"{many['yaml']:.3f} s YAML, {many['json']:.3f} s JSON; {ratio:.0f}× as fast as `sops -d`"
    )
    yield Row(f"{FILES:,} files of {VALUES} values in one process", text, "0.25 s, 20×")
    yield Row(f"`sops -d` of {MEGABYTES} MB, ours beside theirs", compare(*big), "2×")


def prepare(folder: Path) -> Path:
    """Make the files, with a key that is thrown away."""
    import pyrage

    identity = pyrage.x25519.Identity.generate()
    folder.mkdir(parents=True)
    os.environ["SOPS_AGE_KEY"] = str(identity)
    os.environ["SOPS_AGE_RECIPIENTS"] = str(identity.to_public())
    values = {f"key{number}": f"value {number} of this file" for number in range(VALUES)}
    (folder / "one.json").write_text(json.dumps(values))
    (folder / "big.bin").write_bytes(secrets.token_bytes(MEGABYTES * 1_000_000))
    for source, kind, target in (
        ("one.json", "json", "one.enc.json"),
        ("one.json", "yaml", "one.enc.yaml"),
        ("big.bin", "binary", "big.enc"),
    ):
        command = [*OURS, "encrypt", "--output-type", kind, "--output", target, source]
        subprocess.run(command, cwd=folder, check=True)
    return folder


def compare(theirs: object, ours: object) -> str:
    """Say how much longer ours takes."""
    ratio = ours.seconds / theirs.seconds  # type: ignore[attr-defined]
    return f"{ours}; theirs {theirs}: {ratio:.1f}×"


def open_many(folder: Path) -> dict[str, float]:
    """Open the files again and again in a process of its own; return the seconds it took."""
    command = [sys.executable, str(Path(__file__).with_name("pieces.py")), "secrets", str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    answer: dict[str, float] = json.loads(done.stdout)
    return answer

"""Runs the real program in a forked process that is cut off at one of its effects."""

from __future__ import annotations

import ctypes
import importlib
import mmap
import os
import pkgutil
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

EFFECTS, LABEL, BASE = 4096, 160, 256
HEAD = struct.Struct("=4i2i")
SIZE = HEAD.size + BASE + EFFECTS * LABEL


class Cut(IntEnum):
    """What happens at the chosen effect, as `cutter.c` numbers it."""

    NONE = 0
    BEFORE = 1
    AFTER = 2
    LOST = 3
    FULL = 4

    @property
    def title(self) -> str:
        """The words of the table."""
        return TITLES[self]


TITLES = {
    Cut.NONE: "not cut",
    Cut.BEFORE: "killed before",
    Cut.AFTER: "killed after",
    Cut.LOST: "answer lost",
    Cut.FULL: "disk full",
}


def build_cutter(folder: Path) -> Path:
    """Compile `cutter.c` into *folder*."""
    library = folder / "cutter.so"
    source = Path(__file__).with_name("cutter.c")
    command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"]
    subprocess.run(command, check=True)
    return library


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended: its exit code (negative: the signal), its effects, what it printed."""

    code: int
    effects: tuple[str, ...]
    is_cut: bool
    output: str


def preload() -> None:
    """Import the whole program once, so that a forked run starts at once."""
    import provisioning

    for module in pkgutil.walk_packages(provisioning.__path__, "provisioning."):
        if module.name != "provisioning.__main__" and ".testing" not in module.name:
            importlib.import_module(module.name)
    for name in ("git.cmd", "jinja2.sandbox", "pygit2"):
        importlib.import_module(name)


def run(
    arguments: Sequence[str],
    *,
    folder: Path,
    base: Path,
    environment: Mapping[str, str],
    cut: Cut | None = None,
    at: int = 0,
) -> Ending:
    """Run `provisioning` with *arguments* in *folder*; only effects below *base* count.

    With *cut* None it runs in peace and its effects are not traced.
    """
    record, output = base.with_name(f"{base.name}.record"), base.with_name(f"{base.name}.out")
    if cut is not None:
        write_record(record, base, cut, at)
    child = os.fork()
    if not child:
        _become(arguments, folder, output, record if cut is not None else None, environment)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    effects, is_cut = read_record(record) if cut is not None else ((), False)
    return Ending(code, effects, is_cut, output.read_text(encoding="utf-8", errors="replace"))


def write_record(record: Path, base: Path, cut: Cut, at: int) -> None:
    """Write what the tracer is to do; *record* is shared with all that it traces."""
    head = HEAD.pack(0, 0, 0, 0, at, cut) + os.fsencode(f"{base}/")
    record.write_bytes(head.ljust(SIZE, b"\0"))


def arm(record: Path) -> None:
    """Trace this process, and every git that it starts, from here on."""
    os.environ["CUTTER_RECORD"] = str(record)
    ctypes.CDLL(os.environ["LD_PRELOAD"]).cutter_arm(os.fsencode(record))


def _become(
    arguments: Sequence[str],
    folder: Path,
    output: Path,
    record: Path | None,
    environment: Mapping[str, str],
) -> None:
    code = 70
    try:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sink = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        for number, target in ((os.open(os.devnull, os.O_RDONLY), 0), (sink, 1), (sink, 2)):
            os.dup2(number, target)
        from provisioning.__main__ import main

        if record is not None:
            arm(record)
        else:
            os.environ.pop("LD_PRELOAD", None)
        main(list(arguments))
    except SystemExit as exc:
        code = exc.code if isinstance(exc.code, int) else 1
    except BaseException:  # noqa: BLE001  whatever it is, this process ends here
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def read_record(path: Path) -> tuple[tuple[str, ...], bool]:
    """Return the effects that were traced, and whether the cut was reached."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        count, _, reached, _, _, _ = HEAD.unpack_from(data)
        start = HEAD.size + BASE
        labels = [
            data[start + n * LABEL : start + (n + 1) * LABEL].partition(b"\0")[0]
            for n in range(min(count, EFFECTS))
        ]
    return tuple(each.decode(errors="replace") for each in labels), bool(reached)

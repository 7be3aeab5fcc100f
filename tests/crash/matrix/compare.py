"""Compares the tracer with the kernel: runs scenarios under strace, and counts both sides.

    python tests/crash/matrix/compare.py SCENARIO…

Exits with 1 if strace saw a call that changes the disk and the tracer did not, or the reverse.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from cutting import Cut, build_cutter, read_record, write_record
from scenarios import SCENARIOS
from stage import Stage

NAMES = {
    "open": ("open", "openat", "openat2", "creat"),
    "write": ("write", "pwrite64", "writev", "pwritev", "pwritev2"),
    "fsync": ("fsync", "fdatasync", "sync_file_range", "syncfs", "sync", "msync"),
    "truncate": ("truncate", "ftruncate"),
    "rename": ("rename", "renameat", "renameat2"),
    "link": ("link", "linkat"),
    "symlink": ("symlink", "symlinkat"),
    "unlink": ("unlink",),
    "unlink or rmdir": ("unlinkat",),
    "rmdir": ("rmdir",),
    "mkdir": ("mkdir", "mkdirat"),
    "chmod": ("chmod", "fchmod", "fchmodat", "fchmodat2"),
    "chown": ("chown", "fchown", "lchown", "fchownat"),
    "setxattr": ("setxattr", "lsetxattr", "fsetxattr"),
    "removexattr": ("removexattr", "lremovexattr", "fremovexattr"),
    "copy": ("sendfile", "copy_file_range", "splice", "fallocate", "mknod", "mknodat"),
}
"""Every call of Linux that changes a file system, by the tracer's name for it."""

CALL = re.compile(r"^\d+ +(\w+)\((.*)$")
FLAGS = re.compile(r"O_CREAT|O_TRUNC")


def compare(name: str, folder: Path) -> tuple[Counter[str], Counter[str]]:
    """Return what the tracer and what the kernel counted of one run of scenario *name*."""
    stage = Stage(next(each for each in SCENARIOS if each.name == name), folder / "stage")
    stage.prepare()
    record, log = folder / "record", folder / "strace"
    write_record(record, stage.base, Cut.NONE, 0)
    calls = ",".join(f"?{each}" for names in NAMES.values() for each in names)
    armed = Path(__file__).with_name("armed.py")
    strace = ("strace", "-f", "-y", "-qq", "-s", "4096", "-o", str(log), "-e", f"trace={calls}")
    subprocess.run(
        [*strace, sys.executable, str(armed), str(record), *stage.scenario.command],
        cwd=stage.workspace,
        env=stage.environment("same"),
        stdout=subprocess.DEVNULL,
        check=True,
    )
    stage.close()
    effects = (effect.partition(" ")[0] for effect in read_record(record)[0])
    traced = Counter(each for each in effects if each in NAMES)
    return traced, Counter(_read_calls(log, f"{stage.base}/"))


def _read_calls(log: Path, base: str) -> Iterator[str]:
    kinds = {name: kind for kind, names in NAMES.items() for name in names}
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        found = CALL.match(line)
        if not found or base not in found[2].partition(") = ")[0]:
            continue
        kind, arguments = kinds[found[1]], found[2]
        if kind == "open" and not FLAGS.search(arguments):
            continue
        if kind == "unlink or rmdir":
            kind = "rmdir" if "AT_REMOVEDIR" in arguments else "unlink"
        yield kind


def main() -> None:
    """Compare the scenarios named on the command line."""
    differ = False
    with tempfile.TemporaryDirectory(prefix="crash-compare-") as name:
        folder = Path(name)
        os.environ["LD_PRELOAD"] = str(build_cutter(folder))
        for scenario in sys.argv[1:]:
            traced, kernel = compare(scenario, folder)
            differ = differ or traced != kernel
            print(f"{scenario}\n  traced: {dict(sorted(traced.items()))}")
            print(f"  kernel: {dict(sorted(kernel.items()))}")
    sys.exit(differ)


if __name__ == "__main__":
    main()

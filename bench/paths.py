"""Counts the files that a plan of three resources enters, and its calls from file to file.

    .venv/bin/python bench/paths.py

A file is entered if one of its functions runs, a call crosses files if caller and callee are in
two files of the product. Modules that are only imported do not count. The workspace is the one
that `workspace init` makes, planned once before, so that its manifests are in the cache.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from pathlib import Path
from types import CodeType, FrameType

import provisioning
from provisioning.__main__ import main

ROOT = Path(provisioning.__file__).parents[1]
PACKAGES = tuple(str(ROOT / name) + "/" for name in ("provisioning", "sops_python"))


def run(*words: str) -> None:
    """Run one command line in this process."""
    try:
        main(words)
    except SystemExit as end:
        if end.code not in {None, 0}:
            raise


def is_ours(code: CodeType) -> bool:
    """Tell whether *code* is a function of the product, and no module or class body."""
    return code.co_filename.startswith(PACKAGES) and bool(code.co_flags & 0x02)


def count_plan() -> tuple[Counter[str], Counter[tuple[str, str]]]:
    """Return the calls of each file, and those between two files."""
    files: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()

    def notice(frame: FrameType, event: str, _: object) -> None:
        if event != "call" or not is_ours(frame.f_code):
            return
        callee, back = frame.f_code.co_filename, frame.f_back
        files[callee] += 1
        if back is not None and is_ours(back.f_code) and back.f_code.co_filename != callee:
            pairs[back.f_code.co_filename, callee] += 1

    sys.setprofile(notice)
    try:
        run("plan")
    finally:
        sys.setprofile(None)
    return files, pairs


if __name__ == "__main__":
    import contextlib
    import io
    import os

    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        os.environ["PROVISIONING_HOME"] = f"{folder}/home"
        run("-C", folder, "workspace", "init", "shop")
        os.chdir(Path(folder, "shop"))
        run("plan")
        entered, crossings = count_plan()
    print(f"{len(entered)} files entered, {sum(crossings.values())} calls from file to file")
    for (caller, callee), number in crossings.most_common(20):
        one, other = (Path(name).relative_to(ROOT) for name in (caller, callee))
        print(f"{number:6}  {one} -> {other}")

"""Cuts a run with secrets off at its effects, and searches all that it left for them.

    python tests/crash/matrix/leaks.py [--every N] [--part K/N]

The world itself, `live`, is left out: a file that is to hold a secret holds it. Git's objects are
read through Git, whether they are packed or not.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pyrage
from cutting import Cut, build_cutter, preload
from run import read_part
from scenarios import Scenario, file, render
from stage import Stage

CUTS = (Cut.BEFORE, Cut.AFTER, Cut.LOST, Cut.FULL)
NAMES = ("content", "later", "variable", "held", "lines")


def make_canary(name: str) -> str:
    """Return a text that is nowhere else, with what has to be escaped somewhere."""
    if name == "lines":
        return "\n".join(f"line {n} of {secrets.token_hex(8)}" for n in range(3))
    return f"canary-{name}-{secrets.token_hex(8)}/+='é"


CANARIES = {name: make_canary(name) for name in NAMES}
AFTER = (
    file("a", "a.txt", "a {{secrets.app.content}} b")
    + render("File/l", "path: l.txt, content: '{{secrets.app.lines}}'")
    + render(
        "File/t", "path: t.txt, template: infra/web/t, vars: {word: '{{secrets.app.variable}}'}"
    )
    + render("Value/v", "input: {deep: ['{{secrets.app.held}}']}")
    + file("b", "b.txt", "{{resources.File/a.path}} {{secrets.app.later}}")
)
SCENARIO = Scenario(
    name="secrets",
    before=file("a", "a.txt", "{{secrets.app.later}}") + file("gone", "gone.txt", "x"),
    after=AFTER,
    files={
        "a.txt": f"a {CANARIES['content']} b",
        "l.txt": CANARIES["lines"],
        "t.txt": f"<{CANARIES['variable'].upper()}>",
        "b.txt": f"a.txt {CANARIES['later']}",
    },
    records=frozenset({"File/a", "File/l", "File/t", "Value/v", "File/b"}),
)


class SecretStage(Stage):
    """A workspace with secrets, whose identity is in the environment alone."""

    def _configure(self) -> None:
        super()._configure()
        identity = pyrage.x25519.Identity.generate()
        os.environ["SOPS_AGE_KEY"] = str(identity)
        web = self.workspace / "infra/web"
        web.mkdir(parents=True, exist_ok=True)
        (web / "t").write_text("<{{ word | upper }}>", encoding="utf-8")
        options = ["--filename-override", "app.enc.json", "--age", str(identity.to_public())]
        command = [sys.executable, "-m", "provisioning", "sops", "encrypt", *options]
        done = subprocess.run(
            command, input=json.dumps(CANARIES).encode(), stdout=subprocess.PIPE, check=True
        )
        (web / "app.enc.json").write_bytes(done.stdout)


def spell(text: str) -> Iterator[bytes]:
    """Yield how *text* may be written; found out without the redactor's own list."""
    for part in {text, text.upper(), *text.splitlines()}:
        raw = part.encode()
        yield from (raw, raw.hex().encode(), ascii(part)[1:-1].encode())
        yield from (quote(part).encode(), quote(part, safe="").encode())
        yield from (base64.b64encode(raw[start:])[:-4] for start in range(3))


def find_leaks(stage: Stage, output: str) -> Iterator[str]:
    """Yield where a secret can be read."""
    forms = [(name, form) for name, text in CANARIES.items() for form in spell(text)]
    for where, data in [*read_all(stage), ("output", output.encode())]:
        yield from (f"{name} as {form!r} in {where}" for name, form in forms if form in data)


def read_all(stage: Stage) -> Iterator[tuple[str, bytes]]:
    """Yield the content of every file, and of every object of the repository."""
    for path in stage.base.rglob("*"):
        if path.is_file() and not path.is_relative_to(stage.workspace / "live"):
            yield str(path), path.read_bytes()
    command = ["git", "-C", str(stage.workspace), "cat-file", "--batch-all-objects", "--batch"]
    yield "Git's objects", subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout


def search(folder: Path, every: int, part: tuple[int, int]) -> tuple[int, list[str]]:
    """Cut at every *every*-th effect in each way; return how often, and what was found."""
    preload()
    stage = SecretStage(SCENARIO, folder / "stage")
    stage.prepare()
    whole = stage.cut(Cut.NONE, 0)
    found = [f"not cut: {each}" for each in find_leaks(stage, whole.output)]
    found += [f"not cut: {each}" for each in stage.recover("same")]
    count = 0
    cases = [(at, cut) for at in range(1, len(whole.effects) + 1) for cut in CUTS]
    for at, cut in cases[::every][part[0] - 1 :: part[1]]:
        stage.restore()
        ending = stage.cut(cut, at)
        count += ending.is_cut
        what = f"{cut.title} effect {at}"
        found += [f"{what}: {each}" for each in find_leaks(stage, ending.output)]
        found += [f"{what}, then: {each}" for each in stage.recover("same")]
        found += [f"{what}, then: {each}" for each in find_leaks(stage, "")]
    return count, found


def main() -> None:
    """Search; exit with 1 if a secret was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="try each N-th case only")
    parser.add_argument("--part", type=read_part, default=(1, 1), help="try the K-th of N parts")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="leaks-"))
    try:
        if "cutter.so" not in os.environ.get("LD_PRELOAD", ""):
            os.environ["LD_PRELOAD"] = str(build_cutter(folder))
            raise SystemExit(os.spawnv(os.P_WAIT, sys.executable, [sys.executable, *sys.argv]))
        count, found = search(folder, arguments.every, arguments.part)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(*found[:20], f"{count} cuts, {len(found)} finds", sep="\n")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()

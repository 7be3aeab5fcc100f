"""The documentation's commands are run, and must print what the documentation says."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from provisioning.providers.local.scanning import find_members

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "docs" / "tutorial.md",
    *sorted((ROOT / "docs/how-to").glob("*.md")),
]
TRANSCRIPTS = sorted(Path(__file__).parent.glob("*.txt"))
BLOCK = re.compile(r"^```console\n(.*?)^```", re.DOTALL | re.MULTILINE)
WILD = "[…]"


def read_steps(text):
    """Yield each command, its here-document lines joined, with the output that must follow."""
    command, expected = None, []
    for line in text.splitlines():
        if line.startswith("$ "):
            if command:
                yield command, expected
            command, expected = line[2:], []
        elif line.startswith("> ") or line == ">":
            command += "\n" + line[2:]
        else:
            expected.append(line)
    if command:
        yield command, expected


def build_pattern(expected):
    """`[…]` matches anything; alone on a line it matches any lines; `[exit N]` is the exit code."""
    lines = [line for line in expected if not re.fullmatch(r"\[exit \d+\]", line)]
    while lines and not lines[-1].strip():
        lines.pop()
    parts = []
    for line in lines:
        if line == WILD:
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(
                r".*?".join(re.escape(part.rstrip()) for part in line.split(WILD)) + r"[ ]*\n"
            )
    return "".join(parts) + r"\Z"


def get_exit(expected):
    codes = [re.fullmatch(r"\[exit (\d+)\]", line) for line in expected]
    return next((int(code[1]) for code in codes if code), 0)


@pytest.fixture(autouse=True)
def _stop_processes(tmp_path):
    """A transcript that fails half-way leaves no process of its workspace running."""
    yield
    for member in find_members(""):
        cwd = Path(f"/proc/{member.seen.pid}/cwd")
        if cwd.exists() and cwd.resolve().is_relative_to(tmp_path):
            os.kill(member.seen.pid, signal.SIGKILL)


def play(text, folder):
    """Run the commands of *text* in one shell's place, following `cd`."""
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "LC_ALL": "C.UTF-8",
    }
    for command, expected in read_steps(text):
        if command.startswith("cd "):
            folder = folder / command[3:]
            continue
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        told = "".join(
            f"{line.rstrip()}\n"
            for line in done.stdout.splitlines()
            if not re.match(r"  [A-Z]\w+/\S+  (\w+ \(|waiting)", line)
        )
        assert re.match(
            build_pattern(expected), told.rstrip("\n") + "\n" if told.strip() else ""
        ), f"$ {command}\nexpected:\n" + "\n".join(expected) + f"\nprinted:\n{told}"
        assert done.returncode == get_exit(expected), (command, done.stdout)


@pytest.mark.parametrize(
    "document",
    [each for each in DOCUMENTS if BLOCK.search(each.read_text("utf-8"))],
    ids=lambda each: each.stem,
)
def test_what_the_documentation_shows_is_what_happens(document, tmp_path):
    """Each console block of a document runs, one after the other, as it stands there."""
    blocks = BLOCK.findall(document.read_text(encoding="utf-8"))
    play("\n".join(blocks), tmp_path)


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda each: each.stem)
def test_a_transcript_comes_true(transcript, tmp_path):
    """Commands with bad input say what is wrong, where, and what to do; nothing else happens."""
    play(transcript.read_text(encoding="utf-8"), tmp_path)

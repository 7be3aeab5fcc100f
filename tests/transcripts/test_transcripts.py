"""The documentation's commands are run, and must print what the documentation says."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from provisioning.gitstore.remote import authorise
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
FORGE = re.compile(r"https://git\.example\.org|ops/shop\b")
"""What stands in a document for a real Gitea, and for a repository there."""


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


def play(text, folder, environ=None):
    """Run the commands of *text* in one shell's place, following `cd`."""
    environment = (environ or os.environ) | {
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


PEERS = {
    "keep-secrets": ["age-keygen"],
    "move-secrets-to-a-key-service": ["moto_server"],
}
"""The programs that a document needs besides ours and Git."""


@pytest.fixture(autouse=True)
def _key_service(request, monkeypatch):
    """A key service with the key `alias/shop`, for the document that moves to it."""
    if ("moto_server",) not in [each.args for each in request.node.iter_markers("peer")]:
        yield
        return
    boto3 = pytest.importorskip("boto3")
    address = request.getfixturevalue("moto_server")
    for name, value in (("ENDPOINT_URL", address), ("ACCESS_KEY_ID", "a"),
                        ("SECRET_ACCESS_KEY", "b")):  # fmt: skip
        monkeypatch.setenv(f"AWS_{name}", value)
    client = boto3.client("kms", region_name="eu-central-1")
    key = client.create_key()["KeyMetadata"]["Arn"]
    client.create_alias(AliasName="alias/shop", TargetKeyId=key)
    yield
    client.delete_alias(AliasName="alias/shop")


def list_documents():
    """Yield the documents that show commands, each with the marks of what it needs."""
    for document in DOCUMENTS:
        text = document.read_text("utf-8")
        peers = [*PEERS.get(document.stem, []), *(["gitea"] if FORGE.search(text) else [])]
        marks = [pytest.mark.peer(each) for each in peers]
        servers = [each for each in peers if each in {"gitea", "moto_server"}]
        marks += [pytest.mark.xdist_group(each.partition("_")[0]) for each in servers[:1]]
        if BLOCK.search(text):
            yield pytest.param(document, id=document.stem, marks=marks)


@pytest.mark.parametrize("document", [*list_documents()])
def test_what_the_documentation_shows_is_what_happens(document, tmp_path, request):
    """Each console block of a document runs, one after the other, as it stands there."""
    text = "\n".join(BLOCK.findall(document.read_text(encoding="utf-8")))
    if not FORGE.search(text):
        play(text, tmp_path)
        return
    gitea = request.getfixturevalue("gitea")
    places = {"https://git.example.org": gitea.url, "ops/shop": gitea.create_repository()}
    text = FORGE.sub(lambda found: places[found[0]], text)
    environ = os.environ | authorise(gitea.url, gitea.token) | {"GITEA_TOKEN": gitea.token}
    play(text, tmp_path, environ)


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda each: each.stem)
def test_a_transcript_comes_true(transcript, tmp_path):
    """Commands with bad input say what is wrong, where, and what to do; nothing else happens."""
    play(transcript.read_text(encoding="utf-8"), tmp_path)

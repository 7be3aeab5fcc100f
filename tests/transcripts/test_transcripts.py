"""The documentation's commands are run, and must print what the documentation says."""

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest
from gitea_server import GiteaServer

from provisioning.gitstore.repository.remote import authorise

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "docs" / "tutorial.md",
    *sorted((ROOT / "docs/how-to").glob("*.md")),
]
TRANSCRIPTS = sorted(Path(__file__).parent.glob("*.txt"))
BLOCK = re.compile(r"^(?P<fence>`{3,})console\n(?P<text>.*?)^(?P=fence)$", re.DOTALL | re.MULTILINE)
WILD = "[…]"
REWRITES = os.environ.get("REWRITE_TRANSCRIPTS") == "1"
"""Whether a document that is not true any more gets what is printed now, to be looked through."""

VARIES = re.compile(
    r"\b(?=\w*\d)[0-9a-f]{10,40}\b|\d{4}-\d\d-\d\dT[\d:]+Z|/tmp/[\w./-]*|by \S+ on \S+"
)
"""What a rewritten document does not repeat."""
FORGE = re.compile(r"https://(?:\w+@)?git\.example\.org|ops/shop\b")
"""What stands in a document for a real Gitea, and for a repository there."""

PERSON = re.compile(r"~/(\w+)\.token")
"""What stands in a document for somebody's token of a Gitea that is empty but for such people."""


def read_steps(text):
    """Yield each command, its here-document lines joined, with the output that must follow."""
    command, expected = None, []
    for line in text.splitlines():
        if line.startswith("$ "):
            if command:
                yield command, expected
            command, expected = line[2:], []
        elif (line.startswith("> ") or line == ">") and not expected:
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
    """A transcript that fails half-way leaves no process running in its folder."""
    yield
    for cwd in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):
            if cwd.readlink().is_relative_to(tmp_path):
                os.kill(int(cwd.parent.name), signal.SIGKILL)


def play(text, folder, environ=None, news=None):
    """Run the commands of *text* in one shell's place, following `cd`.

    What is not as expected is put into *news*, by the command's number, if there is one.
    """
    environment = (environ or os.environ) | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "LC_ALL": "C.UTF-8",
    }
    for number, (command, expected) in enumerate(read_steps(text)):
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
        told = told.rstrip("\n") + "\n" if told.strip() else ""
        is_told = re.match(build_pattern(expected), told)
        if news is not None and not (is_told and done.returncode == get_exit(expected)):
            news[number] = told + (f"[exit {done.returncode}]\n" if done.returncode else "")
            continue
        assert is_told, f"$ {command}\nexpected:\n" + "\n".join(expected) + f"\nprinted:\n{told}"
        assert done.returncode == get_exit(expected), (command, done.stdout)


PEERS = {
    "manage-secrets": ["age-keygen"],
    "use-a-key-service": ["moto_server"],
    "run-as-a-service": ["jq"],
}
"""The programs that a document needs besides ours and Git."""


@pytest.fixture(autouse=True)
def _peers_on_the_path(request, peer, monkeypatch):
    """A shell finds what the document needs, also the programs that were built for the tests."""
    for mark in request.node.iter_markers("peer"):
        folder = peer(*mark.args).parent
        monkeypatch.setenv("PATH", f"{os.environ['PATH']}{os.pathsep}{folder}")


@pytest.fixture(autouse=True)
def _key_service(request, monkeypatch):
    """A key service with the key `alias/shop`, and a bucket, for the document that moves to it."""
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
    bucket = boto3.resource("s3").create_bucket(Bucket="shop-secrets")
    yield
    client.delete_alias(AliasName="alias/shop")
    bucket.objects.delete()
    bucket.delete()


def read_blocks(document):
    return [each["text"] for each in BLOCK.finditer(document.read_text(encoding="utf-8"))]


def rewrite(document, news):
    """Put *news* in the place of what the commands with those numbers printed once."""
    numbers = count()

    def renew(block):
        text = ""
        for command, expected in read_steps(block["text"]):
            number = next(numbers)
            text += "$ " + command.replace("\n", "\n> ").replace("\n> \n", "\n>\n") + "\n"
            old = "".join(f"{line}\n" for line in expected)
            text += VARIES.sub(WILD, news[number]) if number in news else old
        return f"{block['fence']}console\n{text}{block['fence']}"

    document.write_text(BLOCK.sub(renew, document.read_text("utf-8")), encoding="utf-8")


def list_documents():
    """Yield the documents that show commands, each with the marks of what it needs."""
    for document in DOCUMENTS:
        text = document.read_text("utf-8")
        peers = [
            *PEERS.get(document.stem, []),
            *(["gitea", "curl", "jq"] if FORGE.search(text) else []),
        ]
        marks = [pytest.mark.peer(each) for each in peers]
        servers = [each for each in peers if each in {"gitea", "moto_server"}]
        marks += [pytest.mark.xdist_group(each.partition("_")[0]) for each in servers[:1]]
        if BLOCK.search(text):
            yield pytest.param(document, id=document.stem, marks=marks)


@pytest.mark.parametrize("document", [*list_documents()])
def test_what_the_documentation_shows_is_what_happens(
    document, tmp_path, request, peer, monkeypatch
):
    """Each console block of a document runs, one after the other, as it stands there."""
    folders = [str(peer(name).parent) for name in PEERS.get(document.stem, [])]
    monkeypatch.setenv("PATH", os.pathsep.join([os.environ["PATH"], *folders]))
    text = "\n".join(read_blocks(document))
    places, environ = {}, os.environ
    if names := set(PERSON.findall(document.read_text("utf-8"))):
        url = request.getfixturevalue("host_people")(names).url
        places = {"https://git.example.org": url}
        places |= {
            f"https://{name}@git.example.org": url.replace("://", f"://{name}@") for name in names
        }
    elif FORGE.search(text):
        gitea = request.getfixturevalue("gitea")
        places = {"https://git.example.org": gitea.url, "ops/shop": gitea.create_repository()}
        environ = os.environ | authorise(gitea.url, gitea.token) | {"GITEA_TOKEN": gitea.token}
    news = {} if REWRITES else None
    play(FORGE.sub(lambda found: places[found[0]], text), tmp_path, environ, news)
    if news:
        for place, real in places.items():
            news = {number: told.replace(real, place) for number, told in news.items()}
        rewrite(document, news)
        pytest.fail(f"{document.name} was rewritten: look it through")


@pytest.fixture
def host_people(peer, tmp_path_factory):
    """Makes an empty Gitea with people, whose tokens Git and they themselves have at home."""
    servers = []

    def make(names):
        server = GiteaServer(peer("gitea"), tmp_path_factory.mktemp("gitea"))
        servers.append(server)
        server.start()
        home = Path.home()
        for name in sorted(names):
            token = server.create_token(server.create_user(name))
            (home / f"{name}.token").write_text(f"{token}\n")
            with (home / ".git-credentials").open("a") as file:
                file.write(server.url.replace("://", f"://{name}:{token}@") + "\n")
        (home / "gitconfig").write_text("[credential]\n\thelper = store\n")
        return server

    yield make
    for server in servers:
        server.stop()


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda each: each.stem)
def test_a_transcript_comes_true(transcript, tmp_path):
    """Commands with bad input say what is wrong, where, and what to do; nothing else happens."""
    play(transcript.read_text(encoding="utf-8"), tmp_path)

"""The real `sops` beside ours, with the same keys and the same folder."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from certificates import make_context
from click.testing import CliRunner
from cloud_server import CloudServer
from vault_server import TOKEN, VaultServer

from provisioning.interfaces.cli.main import cli
from sops_python.keys import azure_tokens, google_tokens, http_calls


@dataclass(frozen=True)
class Answer:
    """What a program wrote, and how it ended."""

    code: int
    output: bytes
    errors: str = ""


class Theirs:
    """The `sops` program."""

    def __init__(self, program: Path, folder: Path) -> None:
        self._program, self._folder = program, folder

    def __call__(self, *arguments: str, stdin: bytes = b"") -> Answer:
        done = subprocess.run(
            [self._program, *arguments],
            cwd=self._folder,
            input=stdin,
            capture_output=True,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr.decode())


class Ours:
    """`provisioning sops`, in this process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, *arguments: str, stdin: bytes = b"") -> Answer:
        words = ["-C", str(self._folder), "sops", *arguments]
        done = CliRunner().invoke(cli, words, input=stdin, standalone_mode=False)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        code = done.return_value if isinstance(done.return_value, int) else done.exit_code
        return Answer(code, done.stdout_bytes, done.stderr)


@pytest.fixture
def folder(tmp_path):
    return tmp_path


@pytest.fixture
def ours(folder):
    return Ours(folder)


@pytest.fixture
def theirs(peer, folder):
    return Theirs(peer("sops"), folder)


@pytest.fixture
def recipient(peer, folder, monkeypatch):
    """An age recipient, whose identity is at hand."""
    return make_identity(peer, folder / "age.key", monkeypatch)


def make_identity(peer, path: Path, monkeypatch) -> str:
    subprocess.run([peer("age-keygen"), "-o", path], check=True, capture_output=True)
    monkeypatch.setenv("SOPS_AGE_KEY_FILE", str(path))
    shown = subprocess.run([peer("age-keygen"), "-y", path], check=True, capture_output=True)
    return shown.stdout.decode().strip()


@pytest.fixture
def add_identity(peer, folder, monkeypatch):
    """Make a second identity, and put both into the file at hand."""

    def make() -> str:
        other = folder / "other.key"
        old = Path(os.environ["SOPS_AGE_KEY_FILE"])
        recipient = make_identity(peer, other, monkeypatch)
        old.write_text(old.read_text() + other.read_text())
        monkeypatch.setenv("SOPS_AGE_KEY_FILE", str(old))
        return recipient

    return make


@pytest.fixture
def serve(engine):
    """Start a Vault with the test's engine, by TLS if a context is given; return its address."""
    servers = []

    def start(context=None):
        servers.append(VaultServer(engine, context))
        return servers[-1].address

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def home(folder, monkeypatch):
    """A home without another Vault, and the token of the test's."""
    for name in [name for name in os.environ if name.startswith("VAULT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("VAULT_TOKEN", TOKEN)
    monkeypatch.setenv("VAULT_MAX_RETRIES", "0")


@pytest.fixture
def serve_cloud(folder, monkeypatch):
    """Start a proxy behind which a cloud answers as *hosts*, and let everybody use it."""
    servers = []

    def start(cloud, *hosts):
        servers.append(CloudServer(cloud, make_context(folder, *hosts)))
        for name in ("HTTP_PROXY", "NO_PROXY", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.lower(), raising=False)
        monkeypatch.delenv("https_proxy", raising=False)
        monkeypatch.setenv("HTTPS_PROXY", servers[-1].address)
        monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def cloud_home(folder, monkeypatch):
    """A home without credentials for any cloud, on a machine of none, where no pause is long."""
    prefixes = ("GOOGLE_", "GCE_", "CLOUDSDK_", "AZURE_", "IDENTITY_", "MSI_", "SOPS_GCP_")
    for name in [name for name in os.environ if name.startswith(prefixes)]:
        monkeypatch.delenv(name)
    (folder / "home").mkdir()
    monkeypatch.setenv("HOME", str(folder / "home"))
    monkeypatch.setattr(http_calls, "PAUSES", (0, 0))
    monkeypatch.setattr(google_tokens, "METADATA_ADDRESS", "127.0.0.1:9")
    monkeypatch.setattr(azure_tokens, "METADATA", "http://127.0.0.1:9/")
    return monkeypatch

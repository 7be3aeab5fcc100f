"""Every test's own home and Git settings, and what a test does about a missing peer."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _isolate_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch):
    home = tmp_path_factory.mktemp("home")
    for name in [name for name in os.environ if name.startswith(("GIT_", "PROVISIONING_"))]:
        if name != "PROVISIONING_REQUIRE_PEERS":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PROVISIONING_HOME", str(home / ".provisioning"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ada@example.org")


@pytest.fixture(autouse=True)
def _find_peers(request: pytest.FixtureRequest):
    """Skip a test whose `@pytest.mark.peer` is missing; fail where peers are required."""
    for mark in request.node.iter_markers("peer"):
        (name,) = mark.args
        if shutil.which(name, path=SEARCH_PATH) is None:
            report = (
                pytest.fail if os.environ.get("PROVISIONING_REQUIRE_PEERS") == "1" else pytest.skip
            )
            report(f"needs {name}, which is not installed")


SEARCH_PATH = os.pathsep.join(
    (os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/lib/git-core")
)


@pytest.fixture
def peer():
    """Find a peer's program, for a test that carries its mark."""

    def find(name: str) -> Path:
        return Path(shutil.which(name, path=SEARCH_PATH) or name)

    return find

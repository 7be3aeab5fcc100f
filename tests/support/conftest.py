"""Runs of pytest within a test."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SUPPORT = Path(__file__).parent


@pytest.fixture
def run_nested(tmp_path):
    """Run pytest on a file of its own, with our conftest; return the exit code and the output."""

    def run(text, *options, path=None, **variables):
        (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = peer(name)\n")
        (tmp_path / "test_nested.py").write_text(text)
        tests = SUPPORT.parent
        own = {
            "PYTHONPATH": os.pathsep.join(map(str, (tests, SUPPORT, tests / "peers/gitea"))),
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
            "PATH": path or os.environ["PATH"],
        }
        left_out = ("PYTEST_", "TEST_", "PROVISIONING_")
        environ = {k: v for k, v in os.environ.items() if not k.startswith(left_out)}
        command = [sys.executable, "-m", "pytest", "-c", "pytest.ini", "-p", "conftest"]
        done = subprocess.run(
            [*command, "--basetemp", str(tmp_path / "base"), "test_nested.py", *options],
            cwd=tmp_path,
            env=environ | own | variables,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    return run

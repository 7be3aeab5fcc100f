import os
import subprocess
import sys
from pathlib import Path

import pytest

LOGS = sorted((Path(__file__).parent / "logs").glob("*.fast-export"))


class Old:
    """A workspace as a release left it; its live files are on another machine, and so not here."""

    def __init__(self, text, base):
        self.shop = base / "shop"
        self.environ = os.environ | {"PROVISIONING_HOME": str(base / "home")}
        subprocess.run(["git", "init", "--quiet", "--initial-branch=main", self.shop], check=True)
        self.git("fast-import", "--quiet", input=text)
        self.git("reset", "--quiet", "--hard", "main")

    def git(self, *arguments, **more):
        command = ["git", "-C", str(self.shop), *arguments]
        return subprocess.run(command, check=True, capture_output=True, **more).stdout.decode()

    def run(self, *arguments, expected=0):
        command = [sys.executable, "-m", "provisioning", *arguments]
        done = subprocess.run(
            command, cwd=self.shop, env=self.environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == expected, (arguments, done.stdout, done.stderr)
        return done.stdout


@pytest.fixture(params=LOGS, ids=lambda path: path.name)
def old(request, tmp_path):
    return Old(request.param.read_bytes(), tmp_path)

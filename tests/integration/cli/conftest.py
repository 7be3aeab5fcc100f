import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

PROGRAM = (sys.executable, "-m", "provisioning")


@dataclass
class Shop:
    """A workspace on disk, and the real program run in it as a process of its own."""

    folder: Path
    home: Path
    environment: dict

    def write(self, text, name="infra/web/example.yaml"):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def commit(self, text=None, name="infra/web/example.yaml"):
        if text is not None:
            self.write(text, name)
        self.git("add", "-A")
        self.git("commit", "--quiet", "--allow-empty", "-m", "change")

    def git(self, *arguments):
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def start(self, *arguments, **more):
        return subprocess.Popen(
            [*PROGRAM, *arguments],
            cwd=self.folder,
            env=self.environment | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            stdin=subprocess.DEVNULL,
        )

    def run(self, *arguments, expected=0, **more):
        process = self.start(*arguments, **more)
        out, err = process.communicate(timeout=120)
        assert process.returncode == expected, (process.returncode, out, err)
        assert "Traceback" not in err
        return out + err

    def live(self):
        root = self.folder / "live"
        files = (path for path in root.rglob("*") if path.is_file())
        return {str(path.relative_to(root)): path.read_text(encoding="utf-8") for path in files}


def build_shop(folder, home):
    environment = os.environ | {
        "PROVISIONING_HOME": str(home),
        "HOME": str(home),
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Ana",
        "GIT_AUTHOR_EMAIL": "ana@example.org",
        "GIT_COMMITTER_NAME": "Ana",
        "GIT_COMMITTER_EMAIL": "ana@example.org",
    }
    shop = Shop(folder, home, environment)
    folder.mkdir(parents=True)
    shop.run("workspace", "init", ".")
    return shop


@pytest.fixture
def shop(tmp_path):
    return build_shop(tmp_path / "shop", tmp_path / "home")


@pytest.fixture
def render_files():
    def render(names, content="x"):
        return "---\n".join(
            "apiVersion: provisioning/v1\nkind: File\n"
            f"metadata: {{name: f{name}}}\n"
            f"spec: {{path: 'd/{name}.txt', content: '{content}{name}'}}\n"
            for name in names
        )

    return render

"""Writes down a workspace with every kind of entry, so that later releases can be tried on it.

    python tests/upgrade/record.py tests/upgrade/logs/FORMAT-RELEASE.fast-export

Run it once for each release, with that release, before it is published; what it wrote is never
written again. It is what `git fast-export` prints, a text.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

MANIFESTS = """\
apiVersion: provisioning/v1
kind: Directory
metadata: {name: etc}
spec: {path: etc}
---
apiVersion: provisioning/v1
kind: Value
metadata: {name: greeting}
spec: {input: Welcome}
---
apiVersion: provisioning/v1
kind: File
metadata: {name: motd, labels: {tier: web}}
spec: {path: etc/motd, content: "{{resources.Value/greeting.output}} to the shop\\n"}
lifecycle: {ignoreFields: [mode], timeouts: {create: 1m}}
"""
LONG = "x" * 300
BROKEN = """\
---
apiVersion: provisioning/v1
kind: Process
metadata: {name: broken}
spec: {command: [/nowhere/at/all]}
"""


class Recorder:
    """A workspace, and the commands that are run in it."""

    def __init__(self, base: Path) -> None:
        self.shop = base / "shop"
        who = {f"GIT_{role}_NAME": "Ana" for role in ("AUTHOR", "COMMITTER")}
        mail = {f"GIT_{role}_EMAIL": "ana@example.org" for role in ("AUTHOR", "COMMITTER")}
        self.environ = os.environ | who | mail | {
            "PROVISIONING_HOME": str(base / "home"),
            "LOGNAME": "ana",
        }  # fmt: skip
        base.mkdir(parents=True, exist_ok=True)
        self.run("workspace", "init", "shop", folder=base)

    def run(self, *arguments: str, folder: Path | None = None, expected: int = 0) -> None:
        command = [sys.executable, "-m", "provisioning", *arguments]
        done = subprocess.run(
            command, cwd=folder or self.shop, env=self.environ, check=False, capture_output=True
        )
        if done.returncode != expected:
            raise RuntimeError(f"{arguments}: {done.stdout.decode()}{done.stderr.decode()}")

    def git(self, *arguments: str) -> bytes:
        command = ["git", *arguments]
        return subprocess.run(
            command, cwd=self.shop, env=self.environ, check=True, capture_output=True
        ).stdout

    def commit(self, text: str, message: str) -> None:
        (self.shop / "infra/web/example.yaml").write_text(text, encoding="utf-8")
        self.git("commit", "--quiet", "--all", "--message", message)

    def tell(self) -> bytes:
        """Let everything happen once, and return the repository as a text."""
        motd = self.shop / "live/etc/motd"
        self.commit(MANIFESTS, "Begin")
        self.run("apply", "--yes")
        self.commit(MANIFESTS.replace("Welcome", LONG), "A long one")
        self.run("apply", "--yes", "--reason", "it is long")
        motd.write_text("by hand\n")
        self.run("reconcile")
        self.commit(MANIFESTS.replace("{name: motd,", "{name: message,")
                    + "moved: {from: File/motd}\n", "Another name")  # fmt: skip
        self.run("reconcile")
        self.run("lock", "hold", "web", "--reason", "a look")
        self.run("lock", "release", "web")
        self.run("suspend", "web", "--reason", "a freeze")
        self.run("resume", "web")
        back = MANIFESTS + "moved: {from: File/message}\n"
        self.commit(back + BROKEN, "Back, and something broken")
        self.run("reconcile", expected=1)
        self.commit(MANIFESTS, "Mended")
        self.run("reconcile")
        self.run("suspend", "File/motd", "--reason", "Ana tries something")
        return self.git("fast-export", "--all")


def main() -> None:
    """Write the text into the file that is named."""
    with tempfile.TemporaryDirectory() as folder:
        Path(sys.argv[1]).write_bytes(Recorder(Path(folder) / "base").tell())


if __name__ == "__main__":
    main()

"""A real repository in a folder of its own, and the git program to prepare it with."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from provisioning.gitstore.repository.repository import Repository, open_repository


class Bench:
    """A repository at *folder* that tests prepare with the git program."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "--quiet", "--initial-branch=main", str(folder), cwd=folder.parent)

    def git(self, *arguments: str, data: bytes = b"", cwd: Path | None = None) -> str:
        return self.run(*arguments, data=data, cwd=cwd).decode(errors="replace").strip()

    def run(self, *arguments: str, data: bytes = b"", cwd: Path | None = None) -> bytes:
        """Run git; return its output as it is."""
        done = subprocess.run(
            ["git", *arguments], cwd=cwd or self.folder, input=data, capture_output=True, check=True
        )
        return done.stdout

    def write_blob(self, content: bytes = b"x\n") -> str:
        return self.git("hash-object", "-w", "--stdin", data=content)

    def write_tree(self, *entries: tuple[str, str, bytes]) -> str:
        """Write a tree of (mode, id, name) as it is, however hostile."""
        ordered = sorted(entries, key=lambda each: each[2] + b"/" * (each[0] == FOLDER))
        raw = b"".join(
            mode.encode() + b" " + name + b"\0" + bytes.fromhex(id_) for mode, id_, name in ordered
        )
        return self.git("hash-object", "--literally", "-t", "tree", "-w", "--stdin", data=raw)

    def commit(self, files: dict[str, str], message: str = "change") -> str:
        for path, text in files.items():
            target = self.folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def open(self) -> Repository:
        return open_repository(self.folder)

    def find_object(self, name: str) -> Path:
        """Return the file of a loose object."""
        return self.folder / ".git" / "objects" / name[:2] / name[2:]


FOLDER = "40000"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    folder = tmp_path / "site"
    folder.mkdir()
    return Bench(folder)

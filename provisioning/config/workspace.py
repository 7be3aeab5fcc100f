"""Finds a workspace, and makes a new one."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from provisioning.config.layers import WORKSPACE_FILE
from provisioning.config.registry import load_settings
from provisioning.config.setting import Layer, describe_expected
from provisioning.core.formats.scalars import read_plain
from provisioning.core.model.errors import InvalidArgument, StorageFailed, WorkspaceNotFound


def find_workspace(start: Path) -> Path:
    """Return the workspace that *start* is, or lies in.

    Raises:
        WorkspaceNotFound: If there is none.
    """
    folder = start.resolve()
    for item in (folder, *folder.parents):
        if (item / WORKSPACE_FILE).is_file():
            return item
    raise WorkspaceNotFound(
        f"{folder} is not in a workspace: neither it nor a folder above it has {WORKSPACE_FILE}",
        hint="`provisioning workspace init PATH` makes one",
    )


def render_workspace_file(name: str, identifier: str) -> str:
    """Return `config/provisioning.yaml`: the workspace, and each setting for it as a comment."""
    identity = f"{{name: {_write_text(name)}, id: {_write_text(identifier)}}}"
    lines = [
        "# The workspace. Every setting for it is here; what is commented out has its default.",
        f"workspace: {identity}   # the id is part of every ownership mark",
        "mode: solo",
        "branch: main                              # where desired state is read from",
        "remote: null                              # a Git URL, or null: this repository itself",
        "local: {root: live, allow: []}            # File, Directory, Process live below root",
        "",
    ]
    shown = {
        "workspace.name",
        "workspace.id",
        "mode",
        "branch",
        "remote",
        "local.root",
        "local.allow",
    }
    groups: dict[str, list[str]] = {}
    for setting in load_settings().values():
        if setting.key in shown or Layer.WORKSPACE not in setting.layers:
            continue
        group, _, key = setting.key.rpartition(".")
        default = (
            setting.default if isinstance(setting.default, str) else json.dumps(setting.default)
        )
        about = f"# {setting.doc} ({describe_expected(setting)})"
        line = f"# {'  ' if group else ''}{key}: {default}"
        groups.setdefault(group, []).extend([about, line])
    for group, texts in groups.items():
        lines += [f"# {group}:"] if group else []
        lines += texts
    return "\n".join(lines) + "\n"


def _write_text(text: str) -> str:
    """Write *text* as a YAML string, in quotes only where it would be read as something else."""
    try:
        is_plain = read_plain(text) == text
    except ValueError:
        is_plain = False
    return text if is_plain else json.dumps(text)


EXAMPLE = """\
# A first example: change it, commit it, and run `provisioning plan`.
apiVersion: provisioning/v1
kind: Directory
metadata:
  name: etc
spec:
  path: etc
---
apiVersion: provisioning/v1
kind: Value                      # lives in the state log alone
metadata:
  name: greeting
spec:
  input: Welcome to {name}
---
apiVersion: provisioning/v1
kind: File
metadata:
  name: motd
spec:
  path: "{{{{resources.Directory/etc.path}}}}/motd"
  content: |
    {{{{resources.Value/greeting.output}}}}
"""


def render_workspace(name: str, identifier: str) -> dict[str, str]:
    """Return a new workspace's files by path, without its `.gitignore`."""
    return {
        WORKSPACE_FILE: render_workspace_file(name, identifier),
        "infra/web/example.yaml": EXAMPLE.format(name=name),
    }


def check_free(folder: Path, files: Mapping[str, str]) -> None:
    """Make sure that *files* can be made in *folder* without replacing anything.

    Raises:
        InvalidArgument: If something stands in the way.
    """
    for path in files:
        for item in (Path(path), *Path(path).parents):
            in_way = folder / item
            if os.path.lexists(in_way) and (item == Path(path) or not in_way.is_dir()):
                raise InvalidArgument(
                    f"{in_way} is there already",
                    hint="choose an empty folder, or move it away",
                )


def write_workspace(folder: Path, files: Mapping[str, str]) -> list[str]:
    """Write *files* and `.gitignore` into *folder*; return their paths.

    Raises:
        InvalidArgument: If one of them is there already; then nothing was written.
        StorageFailed: If the disk refuses.
    """
    check_free(folder, files)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _ignore(folder / ".gitignore", f"/{load_settings()['local.root'].default}/")
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
    except OSError as exc:
        raise StorageFailed(
            f"{exc.filename or folder} cannot be written: {exc.strerror}",
            hint="make room or rights there, or choose another folder",
        ) from exc
    return [".gitignore", *files]


def _ignore(path: Path, line: str) -> None:
    """Make Git ignore *line*, whatever else it ignores already."""
    old = path.read_bytes() if path.exists() else b""
    if line.encode() not in old.splitlines():
        separator = b"\n" if old and not old.endswith(b"\n") else b""
        path.write_bytes(old + separator + line.encode() + b"\n")

"""Finds a workspace, and makes a new one."""

from __future__ import annotations

from pathlib import Path

from provisioning.config.layers import WORKSPACE_FILE
from provisioning.config.settings import SETTINGS, describe_expected
from provisioning.core.errors import InvalidArgument, WorkspaceNotFound


def find_workspace(start: Path) -> Path:
    """Return the workspace that *start* is, or lies in.

    Raises:
        WorkspaceNotFound: If there is none.
    """
    folder = start.resolve()
    for each in (folder, *folder.parents):
        if (each / WORKSPACE_FILE).is_file():
            return each
    raise WorkspaceNotFound(
        f"{folder} is not in a workspace: neither it nor a folder above it has {WORKSPACE_FILE}",
        hint="`provisioning workspace init PATH` makes one",
    )


def render_workspace_file(name: str, identifier: str) -> str:
    """Return `config/provisioning.yaml`: the workspace, and every setting as a comment."""
    lines = [
        "# The workspace. Every setting is here; what is commented out has its default.",
        f"workspace: {{name: {name}, id: {identifier}}}   # the id is part of every ownership mark",
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
    for each in SETTINGS:
        if each.key in shown:
            continue
        group, _, key = each.key.rpartition(".")
        default = "null" if each.default is None else each.default
        line = f"{key}: {default}"
        about = f"# {each.doc} ({describe_expected(each)})"
        groups.setdefault(group, []).extend([about, f"# {'  ' if group else ''}{line}"])
    for group, texts in groups.items():
        lines += [f"# {group}:"] if group else []
        lines += texts
    return "\n".join(lines) + "\n"


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


def write_workspace(folder: Path, name: str, identifier: str) -> list[str]:
    """Write a new workspace's files into *folder*; return their paths.

    Raises:
        InvalidArgument: If one of them is there already; then nothing was written.
    """
    files = {
        WORKSPACE_FILE: render_workspace_file(name, identifier),
        "infra/web/example.yaml": EXAMPLE.format(name=name),
    }
    folder.mkdir(parents=True, exist_ok=True)
    there = [path for path in files if (folder / path).exists()]
    if there:
        raise InvalidArgument(
            f"{folder / there[0]} is there already",
            hint="choose an empty folder, or move the file away",
        )
    with (folder / ".gitignore").open("a", encoding="utf-8") as ignored:
        ignored.write("/live/\n")
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return [".gitignore", *files]

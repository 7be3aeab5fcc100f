"""Makes workspaces of a given size for the benchmarks."""

from __future__ import annotations

import subprocess
from pathlib import Path

ENVIRONMENT = {
    "GIT_AUTHOR_NAME": "bench",
    "GIT_AUTHOR_EMAIL": "bench@localhost",
    "GIT_COMMITTER_NAME": "bench",
    "GIT_COMMITTER_EMAIL": "bench@localhost",
}


def render_value(name: str, value: str) -> str:
    """Return the manifest of one `Value`."""
    return (
        "apiVersion: provisioning/v1\nkind: Value\n"
        f"metadata: {{name: {name}}}\nspec: {{input: {value!r}}}\n"
    )


def render_chain(count: int) -> str:
    """Return *count* `Value`s, each of which names the one before it."""
    documents = [render_value("v0", "start")]
    documents += [
        render_value(f"v{n}", f"{{{{resources.Value/v{n - 1}.output}}}}") for n in range(1, count)
    ]
    return "---\n".join(documents)


def render_wide(count: int) -> str:
    """Return *count* `Value`s that do not know each other."""
    return "---\n".join(render_value(f"v{n}", f"value {n}") for n in range(count))


def render_files(count: int) -> str:
    """Return *count* small files."""
    return "---\n".join(
        "apiVersion: provisioning/v1\nkind: File\n"
        f"metadata: {{name: f{n}}}\nspec: {{path: files/f{n}.txt, content: 'file {n}'}}\n"
        for n in range(count)
    )


def make_workspace(folder: Path, manifests: str) -> Path:
    """Make a workspace whose infra `web` is *manifests*, and commit it."""
    subprocess.run(
        ["provisioning", "workspace", "init", str(folder)], check=True, capture_output=True
    )
    (folder / "infra/web/example.yaml").write_text(manifests, encoding="utf-8")
    commit(folder, "bench")
    return folder


def commit(folder: Path, message: str) -> None:
    """Commit everything in *folder*."""
    import os

    environment = os.environ | ENVIRONMENT
    for arguments in (["add", "-A"], ["commit", "--quiet", "-m", message]):
        subprocess.run(["git", "-C", str(folder), *arguments], check=True, env=environment)

"""Makes workspaces of a given size for the benchmarks."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

ENVIRONMENT = {
    "GIT_AUTHOR_NAME": "bench",
    "GIT_AUTHOR_EMAIL": "bench@localhost",
    "GIT_COMMITTER_NAME": "bench",
    "GIT_COMMITTER_EMAIL": "bench@localhost",
    "GIT_CONFIG_GLOBAL": str(Path(tempfile.gettempdir(), f"bench-gitconfig-{os.getpid()}")),
}

LAYERS = 10
EACH = 100
"""Resources in one manifest of a workspace of many."""

Manifests = Mapping[str, str]
"""The text of each manifest, by its name below `infra/web`."""


def render_value(name: str, value: str) -> str:
    """Return the manifest of one `Value`."""
    return (
        "apiVersion: provisioning/v1\nkind: Value\n"
        f"metadata: {{name: {name}}}\nspec: {{input: {value!r}}}\n"
    )


def render_chain(count: int) -> Manifests:
    """Return *count* `Value`s, each of which names the one before it."""
    documents = [render_value("v0", "start")]
    documents += [
        render_value(f"v{n}", f"{{{{resources.Value/v{n - 1}.output}}}}") for n in range(1, count)
    ]
    return {"example.yaml": "---\n".join(documents)}


def render_layers(count: int) -> Manifests:
    """Return *count* `Value`s in ten layers, each of which names one of the layer before."""
    width = count // LAYERS
    documents = [render_value(f"v{n}", "start") for n in range(width)]
    documents += [
        render_value(f"v{n}", f"{{{{resources.Value/v{n - width}.output}}}}")
        for n in range(width, count)
    ]
    return {"example.yaml": "---\n".join(documents)}


def render_wide(count: int) -> Manifests:
    """Return *count* `Value`s that do not know each other, a hundred in a manifest."""
    return {
        "example.yaml": "# nothing\n",
        **{
            f"m{first // EACH:04}.yaml": "---\n".join(
                render_value(f"v{n}", f"value {n}") for n in range(first, min(first + EACH, count))
            )
            for first in range(0, count, EACH)
        },
    }


def render_files(count: int) -> Manifests:
    """Return *count* small files."""
    documents = (
        "apiVersion: provisioning/v1\nkind: File\n"
        f"metadata: {{name: f{n}}}\nspec: {{path: files/f{n}.txt, content: 'file {n}'}}\n"
        for n in range(count)
    )
    return {"example.yaml": "---\n".join(documents)}


def make_workspace(folder: Path, manifests: Manifests) -> Path:
    """Make a workspace whose infra `web` is *manifests*, and commit it."""
    command = ["provisioning", "workspace", "init", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    for name, text in manifests.items():
        (folder / "infra/web" / name).write_text(text, encoding="utf-8")
    commit(folder, "bench")
    return folder


def change_one(folder: Path, name: str) -> None:
    """Change the first value of the manifest *name*, and commit it."""
    path = folder / "infra/web" / name
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("'value", "'other value", 1), encoding="utf-8")
    commit(folder, "change one")


def commit(folder: Path, message: str) -> None:
    """Commit everything in *folder*."""
    for arguments in (["add", "-A"], ["commit", "--quiet", "-m", message]):
        run_git(folder, *arguments)


def run_git(folder: Path, *arguments: str) -> None:
    """Run git in *folder*, quietly."""
    command = ["git", "-C", str(folder), *arguments]
    subprocess.run(command, check=True, env=os.environ | ENVIRONMENT, capture_output=True)

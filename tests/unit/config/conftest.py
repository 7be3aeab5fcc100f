"""A workspace that is only a map of files, and its layers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from provisioning.config.layers import Layers, load_layers


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Layers]:
    def load(
        files: Mapping[str, str] | None = None,
        *,
        user: str | None = None,
        infra: str | None = None,
        environ: Mapping[str, str] | None = None,
        flags: Sequence[str] = (),
        facts: Mapping[str, Mapping[str, str]] | None = None,
    ) -> Layers:
        if user is not None:
            (tmp_path / "config.user.toml").write_text(user)
        data = {path: text.encode() for path, text in (files or {}).items()}
        return load_layers(
            data.get, home=tmp_path, infra=infra, environ=environ or {}, flags=flags, facts=facts
        )

    return load


@pytest.fixture
def load_workspace(load: Callable[..., Layers]) -> Callable[..., Layers]:
    """Load with the given text as `config/provisioning.yaml`."""

    def load_workspace(text: str, **more: object) -> Layers:
        return load({"config/provisioning.yaml": text}, **more)

    return load_workspace


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a package with that text of entry points."""

    def install(entry_points, code="", package="friday"):
        folder = tmp_path / "site"
        about = folder / f"{package}_rules-1.0.dist-info"
        about.mkdir(parents=True)
        (about / "entry_points.txt").write_text(entry_points)
        (folder / f"{package}.py").write_text(code)
        monkeypatch.setattr(sys, "path", [str(folder), *sys.path])

    yield install
    sys.modules.pop("friday", None)

"""Kinds as a provider would describe them, small enough to see through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pydantic
import pytest

from provisioning.core.manifests.compilation import compile_manifest
from provisioning.core.model.errors import InvalidManifest, InvalidWorkspace, ProvisioningError
from provisioning.core.model.kinds import Field, Kind
from provisioning.core.model.resources import Resource


class _Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")


class _Value(_Model):
    input: Any = None
    triggers: Any = None


class _Ready(_Model):
    tcp: int | str
    timeout: float = 1.0


class _Service(_Model):
    command: list[str]
    restart: Literal["always", "on-failure", "never"] = "always"
    cpus: int = 1
    ready: _Ready | None = None
    source: str | None = None
    content: str | None = None

    @pydantic.model_validator(mode="after")
    def _check_content(self) -> _Service:
        if self.source and self.content:
            raise ValueError("give source or content, not both")
        return self


@pytest.fixture
def kinds() -> dict[str, Kind]:
    value = Kind(
        name="Value",
        provider="local",
        summary="A value.",
        model=lambda: _Value,
        fields=(Field(name="output", computed=True),),
    )
    service = Kind(name="Service", provider="local", summary="A service.", model=lambda: _Service)
    return {"Value": value, "Service": service}


@pytest.fixture
def compile_text(kinds: dict[str, Kind]) -> Callable[..., tuple[Resource, ...]]:
    def compile_text(text: str, file: str = "infra/web/a.yaml") -> tuple[Resource, ...]:
        return compile_manifest(text.encode(), file, kinds)

    return compile_text


@pytest.fixture
def find_problems(
    compile_text: Callable[..., tuple[Resource, ...]],
) -> Callable[..., list[tuple[int, str, str | None]]]:
    """Line, message and hint of everything that is wrong with a manifest."""

    def find_problems(text: str, file: str = "a.yaml") -> list[tuple[int, str, str | None]]:
        problems: tuple[ProvisioningError, ...] = ()
        try:
            compile_text(text, file)
        except InvalidWorkspace as exc:
            problems = exc.problems
        except InvalidManifest as exc:
            problems = (exc,)
        return [(each.source.line, each.message, each.hint) for each in problems]

    return find_problems

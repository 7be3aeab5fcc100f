"""The local provider's kinds, as the core sees them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from provisioning.core.model.kinds import Field, Kind
from provisioning.core.model.values import Tree
from provisioning.providers.local.files.templates import expand_file

if TYPE_CHECKING:
    from pydantic import BaseModel

NAME = "local"
READY_SECONDS = 30
STOP: Mapping[str, Tree] = {"signal": "TERM", "grace": 10}
PROCESS_DEFAULTS: Mapping[str, Tree] = {
    "env": {},
    "cwd": ".",
    "restart": "always",
    "timeout": READY_SECONDS,
}


def _load(model: str) -> Callable[[], type[BaseModel]]:
    def load() -> type[BaseModel]:
        from provisioning.providers.local import models

        found: type[BaseModel] = getattr(models, model)
        return found

    return load


def expand_process(spec: dict[str, Tree], files: Mapping[str, bytes]) -> dict[str, Tree]:
    """Return *spec* with its defaults, so that leaving one out or stating it is the same."""
    del files
    stop = spec.get("stop", {})
    return {
        **PROCESS_DEFAULTS,
        **spec,
        "stop": {**STOP, **stop} if isinstance(stop, dict) else stop,
    }


RIGHTS = tuple(Field(name=name, defaulted=True) for name in ("mode", "owner", "group"))

FILE = Kind(
    name="File",
    provider=NAME,
    summary="A file below `local.root`, from text, a template or a file of the workspace.",
    model=_load("File"),
    fields=(
        Field(name="path", immutable=True),
        Field(name="content", omitted=True),
        Field(name="template", file=True),
        Field(name="source", file=True),
        *RIGHTS,
        Field(name="sha256", computed=True, derived_from=("content",)),
        Field(name="size", computed=True, derived_from=("content",), public=True),
    ),
    identity=("path",),
    expand=expand_file,
    create_before_delete=True,
)

DIRECTORY = Kind(
    name="Directory",
    provider=NAME,
    summary="A directory below `local.root`.",
    model=_load("Directory"),
    fields=(Field(name="path", immutable=True), *RIGHTS),
    identity=("path",),
    create_before_delete=True,
)

PROCESS = Kind(
    name="Process",
    provider=NAME,
    summary="A process of this machine that survives the run that started it.",
    model=_load("Process"),
    fields=(
        Field(name="command", immutable=True, visible=True),
        Field(name="ready.exec", visible=True),
        *(Field(name=name, immutable=True) for name in ("env", "cwd")),
        *(
            Field(name=name, computed=True, derived_from=("command", "env", "cwd"), public=True)
            for name in ("pid", "started", "log")
        ),
        Field(name="exit_code", computed=True, public=True),
    ),
    expand=expand_process,
)

VALUE = Kind(
    name="Value",
    provider=NAME,
    summary="A value that lives in the state log alone, and passes its input on as its output.",
    model=_load("Value"),
    fields=(
        Field(name="triggers", immutable=True),
        Field(name="output", computed=True, derived_from=("input",)),
    ),
    recorded_only=True,
)

KINDS = (FILE, DIRECTORY, PROCESS, VALUE)

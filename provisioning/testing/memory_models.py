"""The specs of the in-memory provider's kinds."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class _MemorySpec(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ThingRule(_MemorySpec):
    """One rule of a `Thing`; its name is its key."""

    name: str
    port: int = 0


class Thing(_MemorySpec):
    """Has a field of every behaviour, and is found by its mark."""

    size: int = 1
    color: str = "grey"
    zone: str = "nowhere"
    tags: list[str] = []
    rules: list[ThingRule] = []
    password: str | None = None
    settings: dict[str, Any] = {}
    link: Any = None
    input: Any = None


class Slot(_MemorySpec):
    """Is found by its place, which something foreign may occupy."""

    place: str
    value: Any = None


class Note(_MemorySpec):
    """Lives in the state log alone."""

    input: Any = None


class Service(_MemorySpec):
    """Serves after as many probes as `ready_after` says; if that is negative, never.

    `timeout` is in seconds.
    """

    ready_after: int = 0
    timeout: float = 60.0
    command: list[str] = []


def _describe_map(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [*required],
        "properties": properties,
    }


_TEXT = {"type": "string"}

MACHINE = _describe_map(
    disk=_describe_map(size={"type": "integer", "minimum": 1}, speed={"type": "integer"}),
    auth=_describe_map(user=_TEXT, password=_TEXT),
    env={"type": "object", "additionalProperties": _TEXT},
    rules={
        "type": "array",
        "items": _describe_map(
            ("name",),
            name=_TEXT,
            port={"type": "integer"},
            token=_TEXT,
            hosts={"type": "array", "items": _TEXT},
        ),
    },
    note=_TEXT,
)
"""The JSON Schema of a `Machine`."""

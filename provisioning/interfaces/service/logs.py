"""The log of the service: one line an event, as JSON or as `key=value`, without secrets."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from typing import Any, TextIO

import structlog

from provisioning.core.model.terminal_text import render_plain
from provisioning.interfaces.service.event_bus import Shape


def build_log(
    *, as_json: bool, level: str, redact: Callable[[str], str], stream: TextIO | None = None
) -> Any:
    """Build the log, which writes to *stream* (standard error).

    Lines hold `time`, `level`, `event`, which is one plain sentence, and `action`, which names
    it for machines; those of a run hold `run`.
    """
    if as_json:
        renderer: Any = structlog.processors.JSONRenderer(ensure_ascii=False)
    else:
        renderer = structlog.processors.KeyValueRenderer(
            key_order=["time", "level", "event", "action"], drop_missing=True
        )

    def write(logger: object, name: str, line: MutableMapping[str, Any]) -> str:
        return render_plain(redact(str(renderer(logger, name, line))))

    return structlog.wrap_logger(
        structlog.WriteLogger(_Stream(stream or sys.stderr)),  # type: ignore[arg-type]
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            write,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        cache_logger_on_first_use=True,
    )


class _Stream:
    """Writes to *stream*; a full disk must not stop the service."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def log_event(log: Any, shape: Shape) -> None:
    """Write the event of *shape* at its level, with its keys that have a value."""
    keys = {key: value for key, value in shape.items() if value is not None}
    write = getattr(log, keys.pop("level"))
    write(keys.pop("sentence"), **keys)

"""The service's log: one line an event, as JSON or as `key=value`; no secret in any."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from functools import singledispatch
from typing import Any, TextIO

import structlog

from provisioning.controller.events import (
    ConfigurationKept,
    CycleBegun,
    CycleEnded,
    CycleTold,
    Defect,
    Exchanged,
    Fetched,
    FetchFailed,
    ForgeUntold,
    News,
    PullsReviewed,
    WatchFailed,
    WorkerHung,
    describe_cycle,
)
from provisioning.core.model.terminal_text import render_plain
from provisioning.interfaces.service.event_bus import Shape

DEFECT = "a defect of provisioning; please report it"

WORRYING = frozenset({"blocked", "failed", "interrupted"})
"""The results of a cycle that are worth a warning."""


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
    """Writes to *stream* what can be written: a full disk must not stop the work."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def log_news(log: Any, news: News, shape: Shape) -> None:
    """Write *news*, each at the level it deserves, with the keys of its *shape*."""
    level, text = _judge(news)
    told = {key: item for key, item in shape.items() if item is not None and key != "sentence"}
    log.log(level, text, **told)


@singledispatch
def _judge(news: News) -> tuple[int, str]:
    """Return the level of *news*, and a sentence about it."""
    raise TypeError(type(news))


@_judge.register
def _(news: Fetched) -> tuple[int, str]:
    if news.is_new:
        return logging.INFO, f"{news.workspace} is at {news.commit[:10]}"
    return logging.INFO, f"{news.workspace}: settings were read again"


@_judge.register
def _(news: FetchFailed) -> tuple[int, str]:
    return logging.ERROR, f"{news.workspace} cannot be read"


@_judge.register
def _(news: Exchanged) -> tuple[int, str]:
    return logging.DEBUG, f"git {news.operation}"


@_judge.register
def _(news: ConfigurationKept) -> tuple[int, str]:
    return logging.ERROR, f"{news.workspace}: the last good settings are kept"


@_judge.register
def _(news: ForgeUntold) -> tuple[int, str]:
    return logging.WARNING, f"{news.workspace}: the forge was not told"


@_judge.register
def _(news: WatchFailed) -> tuple[int, str]:
    return logging.WARNING, f"{news.workspace}: something cannot be watched"


@_judge.register
def _(news: CycleBegun) -> tuple[int, str]:
    return logging.DEBUG, f"{news.work.key.name}: begun"


@_judge.register
def _(news: CycleTold) -> tuple[int, str]:
    return logging.DEBUG, f"{news.key.name}: {news.event.text}"


@_judge.register
def _(news: CycleEnded) -> tuple[int, str]:
    text = describe_cycle(news)
    if news.is_repeated:
        return logging.DEBUG, text
    if news.error is not None:
        return (logging.WARNING if news.error.retryable else logging.ERROR), text
    if news.result in WORRYING:
        return logging.WARNING, text
    has_run = news.report is not None and news.report.run is not None
    return (logging.INFO if has_run else logging.DEBUG), text


@_judge.register
def _(news: PullsReviewed) -> tuple[int, str]:
    if news.error:
        return logging.WARNING, f"{news.work.key} was not reviewed"
    return logging.INFO, f"{news.work.key} was reviewed"


@_judge.register
def _(news: WorkerHung) -> tuple[int, str]:
    return logging.ERROR, f"{news.work.key}: its worker hangs, and was replaced"


@_judge.register
def _(news: Defect) -> tuple[int, str]:
    del news
    return logging.CRITICAL, DEFECT

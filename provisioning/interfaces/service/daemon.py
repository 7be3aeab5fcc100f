"""The process of a service: opens the doors, starts the work, and ends when it is told to."""

from __future__ import annotations

import gc
import signal
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any

import msgspec

from provisioning.controller.controller import Controller
from provisioning.controller.events import EventSink, News
from provisioning.core.model.redaction import Redactor
from provisioning.interfaces.schema.service import shape_news
from provisioning.interfaces.service.event_bus import Bus
from provisioning.interfaces.service.listeners import Doors, bind_control, bind_public
from provisioning.interfaces.service.logs import DEFECT, build_log, log_news
from provisioning.interfaces.service.metrics import Metrics
from provisioning.interfaces.service.routes import build_control, build_public
from provisioning.interfaces.service.systemd import Notifier
from provisioning.interfaces.service.webhooks import HookReply, Hooks

LOOK = 1.0
"""Seconds between two looks at how the service is."""

PATIENCE = 100.0
"""Seconds that the runs in hand get to finish what is in hand, when the service is to stop."""


_ENDING = (signal.SIGTERM, signal.SIGINT)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to serve.

    Args:
        folders: The workspaces.
        flags: Settings, `key=value`.
        socket: The control socket.
        listen: The network's door, `HOST:PORT`; None for none.
        log_json: Log as JSON, else as `key=value`.
        log_level: The least level that is logged.
    """

    folders: Sequence[str]
    flags: Sequence[str]
    socket: Path
    listen: str | None
    log_json: bool
    log_level: str


BuildService = Callable[[Sequence[str], Sequence[str], EventSink, Redactor], Controller]
"""Joins a service of workspaces: their folders, their flags, and what is told of events."""


def serve(options: Options, build_service: BuildService) -> int:
    """Serve until told to stop; return the exit code.

    SIGTERM and SIGINT stop it, finishing what is in hand; a second one ends it at once. SIGHUP
    reads the settings again.

    Raises:
        InvalidArgument: If a door cannot be opened.
        WorkspaceNotFound: If a folder is no workspace.
    """
    redactor = Redactor()
    log = build_log(as_json=options.log_json, level=options.log_level, redact=redactor.redact)
    bus, metrics = Bus(), Metrics()

    def tell(news: News) -> None:
        try:
            shape = shape_news(news)
            metrics.note(news)
            bus.send(shape)
            log_news(log, news, shape)
        except Exception:  # noqa: BLE001  what listens must not stop what works
            log.critical(DEFECT, action="defect", trace=traceback.format_exc())

    def note_hook(name: str, reply: HookReply) -> None:
        metrics.note_hook(reply)
        write = log.info if reply.status < HTTPStatus.BAD_REQUEST else log.warning
        write(reply.text, action="hook", workspace=name, status=int(reply.status))

    service = build_service(options.folders, options.flags, tell, redactor)
    metrics.watch(service)
    public = bind_public(options.listen) if options.listen else None
    control = bind_control(options.socket)
    redact = redactor.redact
    hooks = Hooks(service.workspace_controllers)
    doors = Doors(bus.attach)
    doors.add(build_control(service, bus, metrics.render, redact), control)
    if public:
        app = build_public(service, hooks, metrics.render, note_hook, redact)
        doors.add_public(app, public)
    try:
        return _Process(service, doors, log, redact).run(public.getsockname() if public else None)
    finally:
        options.socket.unlink(missing_ok=True)


class _Process:
    """Signals, systemd, and the main thread, which only waits."""

    def __init__(
        self, service: Controller, doors: Doors, log: Any, redact: Callable[[str], str]
    ) -> None:
        self._service = service
        self._doors = doors
        self._log = log
        self._redact = redact
        self._notifier = Notifier()
        self._signals: SimpleQueue[int | None] = SimpleQueue()
        """What came: unlike an Event's, its lock is never held by whom a signal interrupts."""

        service.wake = partial(self._signals.put, None)
        self._is_ending = False

    def run(self, address: object) -> int:
        handlers = {
            signal.SIGTERM: self._note,
            signal.SIGINT: self._note,
            signal.SIGHUP: self._note,
        }
        before = {number: signal.signal(number, item) for number, item in handlers.items()}
        try:
            self._doors.open()
            self._log.info("serving", action="serving", address=address)
            self._service.start()
            gc.freeze()
            self._wait()
            is_served = self._doors.are_served
            return 0 if self._close() and is_served else 1
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _wait(self) -> None:
        is_told = False
        beat = min(LOOK, self._notifier.watchdog or LOOK)
        while not self._is_over():
            number = self._take_signal(beat)
            if number in _ENDING:
                return
            if number == signal.SIGHUP:
                self._notifier.send_reloading()
                self._service.reload()
                is_told = False
            if not is_told and self._service.has_begun:
                is_told = True
                self._notifier.send(READY=1)
            elif not is_told and self._service.is_alive:
                self._notifier.send_starting()
            troubles = self._service.list_troubles()
            if self._service.is_alive:
                told = self._redact("; ".join(troubles))[:200]
                status = told or "keeping everything equal to Git"
                self._notifier.send(WATCHDOG=1, STATUS=status.replace("\n", " "))

    def _is_over(self) -> bool:
        if not self._doors.are_served:
            self._log.critical("nobody listens at the doors any more", action="defect")
            return True
        return self._service.ended.is_set()

    def _take_signal(self, seconds: float) -> int | None:
        try:
            return self._signals.get(timeout=seconds)
        except Empty:
            return None

    def _close(self) -> bool:
        self._notifier.send(STOPPING=1)
        self._log.info("stopping: finishing what is in hand", action="stopping")
        is_done = self._service.close(PATIENCE)
        self._doors.close()
        self._log.info("stopped", action="stopped", finished=is_done)
        return is_done

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if number in _ENDING:
            if self._is_ending:
                signal.signal(number, signal.SIG_DFL)
                signal.raise_signal(number)
            self._is_ending = True
        self._signals.put(number)

"""The process of a service: it listens, starts the controller, and ends on a signal."""

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
from provisioning.controller.events import Defect, EventSink, ServiceEvent
from provisioning.core.model.redaction import Redactor
from provisioning.interfaces.schema.service import shape_event
from provisioning.interfaces.service.event_bus import EventBus
from provisioning.interfaces.service.listeners import Listeners, bind_admin, bind_public
from provisioning.interfaces.service.logs import build_log, log_event
from provisioning.interfaces.service.metrics import Metrics
from provisioning.interfaces.service.routes import build_admin, build_public
from provisioning.interfaces.service.systemd import Notifier
from provisioning.interfaces.service.webhooks import HookReply, Webhooks

CHECK_INTERVAL = 1.0
"""Seconds between two checks of the service."""

STOP_TIMEOUT = 100.0
"""Seconds that running operations get to end when the service stops."""


_ENDING = (signal.SIGTERM, signal.SIGINT)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The workspaces to serve, where to listen, and how to log.

    `flags` are settings, `key=value`; `socket` is the path of the admin socket, and `listen` the
    address of the HTTP listener, `HOST:PORT`, or None. The log is JSON or `key=value`.
    """

    folders: Sequence[str]
    flags: Sequence[str]
    socket: Path
    listen: str | None
    log_json: bool
    log_level: str


BuildService = Callable[[Sequence[str], Sequence[str], EventSink, Redactor], Controller]
"""Joins a service of workspaces: their folders, their flags, its events, and the redactor."""


def serve(options: Options, build_service: BuildService) -> int:
    """Serve until a signal or a drain ends the service; return the exit code.

    SIGTERM and SIGINT end it after the running operations; a second one ends it at once. SIGHUP
    reads the settings again.

    Raises:
        InvalidArgument: If an address or a socket cannot be listened at.
        WorkspaceNotFound: If a folder is no workspace.
    """
    redactor = Redactor()
    log = build_log(as_json=options.log_json, level=options.log_level, redact=redactor.redact)
    bus, metrics = EventBus(), Metrics()

    def notify(event: ServiceEvent) -> None:
        try:
            shape = shape_event(event)
            metrics.count(event)
            bus.send(shape)
            log_event(log, shape)
        except Exception:  # noqa: BLE001  a defect here must not stop the controller
            log_event(log, shape_event(Defect(trace=traceback.format_exc())))

    def notify_webhook(name: str, reply: HookReply) -> None:
        metrics.count_webhook(reply)
        write = log.info if reply.status < HTTPStatus.BAD_REQUEST else log.warning
        write(reply.text, action="webhook", workspace=name, status=int(reply.status))

    controller = build_service(options.folders, options.flags, notify, redactor)
    metrics.watch(controller)
    public = bind_public(options.listen) if options.listen else None
    admin = bind_admin(options.socket)
    redact = redactor.redact
    webhooks = Webhooks(controller.workspace_controllers)
    listeners = Listeners(bus.attach)
    listeners.add(build_admin(controller, bus, metrics.render, redact), admin, is_public=False)
    if public:
        app = build_public(controller, webhooks, metrics.render, notify_webhook, redact)
        listeners.add(app, public, is_public=True)
    try:
        process = _Process(controller, listeners, log, redact)
        return process.run(public.getsockname() if public else None)
    finally:
        options.socket.unlink(missing_ok=True)


class _Process:
    """The main thread, which waits for signals and reports to systemd."""

    def __init__(
        self, controller: Controller, listeners: Listeners, log: Any, redact: Callable[[str], str]
    ) -> None:
        self._controller = controller
        self._listeners = listeners
        self._log = log
        self._redact = redact
        self._notifier = Notifier()
        self._signals: SimpleQueue[int | None] = SimpleQueue()
        """Its lock, unlike an Event's, is never held by the thread that a signal interrupts."""

        controller.wake = partial(self._signals.put, None)
        self._is_ending = False

    def run(self, address: object) -> int:
        numbers = (*_ENDING, signal.SIGHUP)
        before = {number: signal.signal(number, self._handle_signal) for number in numbers}
        try:
            self._listeners.open()
            self._log.info("serving", action="serving", address=address)
            self._controller.start()
            gc.freeze()
            self._wait()
            is_listening = self._listeners.are_alive
            return 0 if self._close() and is_listening else 1
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _wait(self) -> None:
        is_ready = False
        beat = min(CHECK_INTERVAL, self._notifier.watchdog or CHECK_INTERVAL)
        while not self._is_over():
            number = self._take_signal(beat)
            if number in _ENDING:
                return
            if number == signal.SIGHUP:
                self._notifier.send_reloading()
                self._controller.reload()
                is_ready = False
            if not is_ready and self._controller.has_started:
                is_ready = True
                self._notifier.send(READY=1)
            elif not is_ready and self._controller.is_alive:
                self._notifier.send_starting()
            if self._controller.is_alive:
                problems = self._redact("; ".join(self._controller.list_problems()))[:200]
                status = problems or "reconciling everything with Git"
                self._notifier.send(WATCHDOG=1, STATUS=status.replace("\n", " "))

    def _is_over(self) -> bool:
        if not self._listeners.are_alive:
            self._log.critical("the listeners have ended", action="defect")
            return True
        return self._controller.ended.is_set()

    def _take_signal(self, seconds: float) -> int | None:
        try:
            return self._signals.get(timeout=seconds)
        except Empty:
            return None

    def _close(self) -> bool:
        self._notifier.send(STOPPING=1)
        self._log.info("stopping after the running operations", action="stopping")
        is_done = self._controller.close(STOP_TIMEOUT)
        self._listeners.close()
        self._log.info("stopped", action="stopped", finished=is_done)
        return is_done

    def _handle_signal(self, number: int, _frame: FrameType | None) -> None:
        if number in _ENDING:
            if self._is_ending:
                signal.signal(number, signal.SIG_DFL)
                signal.raise_signal(number)
            self._is_ending = True
        self._signals.put(number)

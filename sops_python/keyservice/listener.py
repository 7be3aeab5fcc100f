"""Listens for the requests to a key service until a signal ends it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any, NoReturn

import msgspec

from sops_python.errors import SopsError
from sops_python.keyservice.answers import KeyService, RequestRefused
from sops_python.keyservice.transport import (
    METHODS,
    SERVICE,
    load_grpc,
    locate_socket,
    parse_port,
)

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_OPTIONS = (("grpc.so_reuseport", 0),)
"""A port that is taken is an error, not shared."""

_FOR_OWNER = 0o177
_FITTING_PATH = "name one of at most 107 bytes in a folder that is there, and yours"
_PATIENCE = 5.0
"""Seconds that open connections have to end."""

_PULSE = 0.5
"""Seconds after which a signal is seen that came just before the wait for work began."""

_CLIENTS = 64
"""Requests that are under way at once, most of them waiting for their turn, or their client."""


class _Signalled(BaseException):
    """A signal ends the service; whatever handles an `Exception` lets it pass."""

    def __init__(self, number: int) -> None:
        self.name = signal.strsignal(number) or str(number)


class Place(msgspec.Struct, frozen=True):
    """Where a key service listens: at a port of TCP, or at the socket *path*."""

    address: str
    path: Path | None = None

    def __str__(self) -> str:
        return f"unix://{self.path}" if self.path else f"tcp://{self.address}"


def choose_place(network: str, address: str, folder: Path) -> Place:
    """Return the place that *network* and *address* name; a relative path begins at *folder*.

    Raises:
        SopsError: If they name none.
    """
    match network:
        case "unix":
            return Place(address, Path(os.path.normpath(folder / address)))
        case "tcp":
            parse_port(address)
            return Place(address)
    raise SopsError(f"unknown network {network}", hint="--network unix, or tcp")


def serve(service: KeyService, place: Place, report: Callable[[str], None]) -> None:
    """Answer at *place* with *service*, one request after the other, until SIGINT or SIGTERM.

    Only the owner of a socket can connect to it, and it is removed in the end.

    Args:
        service: What answers; it runs in the calling thread, which is the main one.
        place: Where to listen.
        report: Takes the place where it listens, and the signal that ended it.

    Raises:
        SopsError: If it cannot listen there, or gRPC is not installed.
    """
    grpc = load_grpc()
    turns = _Turns()
    server = grpc.server(ThreadPoolExecutor(_CLIENTS), options=_OPTIONS)
    handlers = {
        name: grpc.unary_unary_rpc_method_handler(
            partial(_handle, grpc, turns, partial(service.answer, verb))
        )
        for name, verb in METHODS.items()
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    try:
        with _raising_signals(), _bound(server, place):
            server.start()
            report(f"Listening on {place}")
            turns.serve()
    except _Signalled as exc:
        report(f"Caught signal {exc.name}: shutting down.")


class _Turns:
    """Lets threads have work done by the one that calls `serve`, one piece after the other.

    So keys are used by one request at a time, and a person is asked one question at a time, by
    the thread that signals interrupt.
    """

    def __init__(self) -> None:
        self._waiting: SimpleQueue[tuple[Future[bytes], Callable[[], bytes]]] = SimpleQueue()
        self._has_ended = False

    def take(self, work: Callable[[], bytes]) -> bytes:
        """Return what *work* returns.

        Raises:
            CancelledError: If its turn does not come any more.
        """
        future: Future[bytes] = Future()
        self._waiting.put((future, work))
        while not wait([future], _PULSE).done:
            if self._has_ended:
                future.cancel()
        return future.result()

    def serve(self) -> NoReturn:
        """Do all work, and wait for more, until a signal ends it."""
        try:
            while True:
                try:
                    future, work = self._waiting.get(timeout=_PULSE)
                except Empty:
                    continue
                try:
                    future.set_result(work())
                except Exception as exc:  # noqa: BLE001  raised in the thread that waits
                    future.set_exception(exc)
        finally:
            self._has_ended = True


def _handle(
    grpc: Any, turns: _Turns, answer: Callable[[bytes], bytes], message: bytes, context: Any
) -> bytes:
    def work() -> bytes:
        return answer(message) if context.is_active() else b""  # nobody waits for it any more

    try:
        return turns.take(work)
    except RequestRefused as exc:
        context.set_code(grpc.StatusCode[exc.status.value])
        context.set_details(exc.message)
    except CancelledError:
        context.set_code(grpc.StatusCode.UNAVAILABLE)
    return b""


@contextmanager
def _raising_signals() -> Iterator[None]:
    """End the block by a signal, once; the next one ends the process."""

    def stop(number: int, _: FrameType | None) -> None:
        for item in _SIGNALS:
            signal.signal(item, signal.SIG_DFL)
        raise _Signalled(number)

    old = {item: signal.signal(item, stop) for item in _SIGNALS}
    try:
        yield
    finally:
        for item, handler in old.items():
            signal.signal(item, handler)


@contextmanager
def _bound(server: Any, place: Place) -> Iterator[None]:
    _bind(server, place)
    try:
        yield
    finally:
        server.stop(0).wait(_PATIENCE)
        if place.path:
            place.path.unlink(missing_ok=True)


def _bind(server: Any, place: Place) -> None:
    if place.path is None:
        _listen(server, parse_port(place.address), place, "choose a free one: --address HOST:PORT")
        return
    if os.path.lexists(place.path):
        raise SopsError(
            f"cannot listen on {place}: address already in use",
            hint=f"if no key service runs there, remove what one left: rm {place.path}"
            if place.path.is_socket()
            else "name a file that is not there yet: --address",
        )
    mask = os.umask(_FOR_OWNER)
    try:
        _listen(server, locate_socket(place.path), place, _FITTING_PATH)
    finally:
        os.umask(mask)


def _listen(server: Any, address: str, place: Place, hint: str) -> None:
    try:
        server.add_insecure_port(address)
    except RuntimeError as exc:
        raise SopsError(f"cannot listen on {place}", hint=hint) from exc

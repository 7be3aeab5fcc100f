"""The listeners: an HTTP address and the admin socket, in a thread with its own event loop."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import threading
from asyncio import Transport
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from provisioning.core.model.errors import InvalidArgument, StorageFailed

HEAD_TIMEOUT = 15.0
"""Seconds in which the whole head of a request must arrive at the HTTP listener."""

MAX_CONNECTIONS = 200
"""Connections of the HTTP listener at once; more are answered 503."""

MAX_PATH = 107
"""Bytes of a Unix socket's path: unix(7)."""


class _BoundedHttpProtocol(H11Protocol):
    """HTTP/1.1 that closes a connection without a request, however slowly its bytes arrive."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch(transport)

    def _watch(self, transport: Transport) -> None:
        self._timer = self.loop.call_later(HEAD_TIMEOUT, self._check, transport)

    def _check(self, transport: Transport) -> None:
        if self.cycle is None or self.cycle.response_complete:
            transport.abort()
        else:
            self._watch(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        super().connection_lost(exc)


PUBLIC = _BoundedHttpProtocol, MAX_CONNECTIONS


class Listeners:
    """The listeners of a service; *attach* is called with the event loop that serves them."""

    def __init__(self, attach: Callable[[asyncio.AbstractEventLoop], None]) -> None:
        self._attach = attach
        self._servers: list[tuple[uvicorn.Server, socket.socket]] = []
        self._thread = threading.Thread(target=self._run, name="listeners", daemon=True)
        self._opened = threading.Event()

    def add(self, app: Any, sock: socket.socket, *, is_public: bool) -> None:
        """Serve *app* at *sock*, within limits if anybody may connect."""
        protocol, limit = (H11Protocol, None) if not is_public else PUBLIC
        self._servers.append((_build_server(app, protocol, limit), sock))

    def open(self) -> None:
        """Start to listen; return once each socket is served."""
        self._thread.start()
        self._opened.wait(10)

    @property
    def are_alive(self) -> bool:
        """True while the thread that serves is alive."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Stop listening."""
        for server, _ in self._servers:
            server.should_exit = server.force_exit = True
        self._thread.join(5)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._attach(asyncio.get_running_loop())
        tasks = [
            asyncio.create_task(server._serve([sock]))  # noqa: SLF001  `serve` takes the signals
            for server, sock in self._servers
        ]
        self._opened.set()  # the sockets queue connections until the servers have started
        await asyncio.gather(*tasks)


def _build_server(app: Any, protocol: type, limit: int | None) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=limit,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=2,
    )
    config.load()
    return uvicorn.Server(config)


def bind_admin(path: Path) -> socket.socket:
    """Bind the admin socket at *path*, for its owner alone.

    Raises:
        InvalidArgument: If a service listens there already, or the path is too long.
        StorageFailed: If it cannot be created.
    """
    if len(os.fsencode(path)) > MAX_PATH:
        raise InvalidArgument(
            f"the path of the admin socket has more than {MAX_PATH} bytes: {path}",
            hint="name a shorter one with --socket",
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_dead(path)
        sock = socket.socket(socket.AF_UNIX)
        mask = os.umask(0o177)
        try:
            sock.bind(str(path))
            sock.listen()
        finally:
            os.umask(mask)
    except OSError as exc:
        raise StorageFailed(
            f"no admin socket can be created at {path}: {exc.strerror}",
            hint="name another with --socket",
        ) from exc
    return sock


def _remove_dead(path: Path) -> None:
    """Remove the socket that a service left behind when it ended."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise InvalidArgument(
                f"{path} exists, and is no socket", hint="name another with --socket"
            )
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(2)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
        except OSError:
            pass
    raise InvalidArgument(
        f"a service listens at {path} already",
        hint="`provisioning serve status` asks it; a second one needs another --socket",
    )


def bind_public(address: str) -> socket.socket:
    """Bind the HTTP listener at *address*, `HOST:PORT`.

    Raises:
        InvalidArgument: If *address* is malformed, or in use.
    """
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdecimal():
        raise InvalidArgument(
            f"--listen is {address!r}", hint="write HOST:PORT, as in 127.0.0.1:8080"
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, int(port)))
        sock.listen()
    except (OSError, OverflowError) as exc:
        sock.close()
        raise InvalidArgument(
            f"{address} cannot be listened at: {getattr(exc, 'strerror', None) or exc}",
            hint="is another service there? name another with --listen",
        ) from exc
    return sock

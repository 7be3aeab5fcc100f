"""The client of a running service, at its admin socket."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from provisioning.core.model.errors import InvalidArgument, RemoteUnreachable

TIMEOUT = 30.0
"""Seconds that an answer may take; a stream has no limit."""


class _SocketConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float | None) -> None:
        super().__init__("localhost", timeout=timeout)
        self._socket_path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        try:
            self.sock.settimeout(self.timeout)
            self.sock.connect(self._socket_path)
        except OSError:
            self.sock.close()
            raise


class AdminClient:
    """The client of the service whose admin socket is at *path*."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, method: str, route: str, **query: str) -> Any:
        """Make one call of *route*; return the JSON of the answer."""
        with self._open(method, route, query, TIMEOUT) as reply:
            return json.loads(reply.read())

    def stream(self, method: str, route: str, **query: str) -> Iterator[dict[str, Any]]:
        """Yield each event of *route* as it comes, until the service ends the stream."""
        with self._open(method, route, query, None) as reply:
            while line := reply.readline():
                yield json.loads(line)

    @contextmanager
    def _open(
        self, method: str, route: str, query: dict[str, str], timeout: float | None
    ) -> Iterator[http.client.HTTPResponse]:
        connection = _SocketConnection(self._path, timeout)
        try:
            connection.request(method, f"/{route}?{urlencode(query)}")
            reply = connection.getresponse()
            if reply.status != HTTPStatus.OK:
                raise _read_error(reply)
            yield reply
        except (OSError, http.client.HTTPException) as exc:
            raise RemoteUnreachable(
                f"no service answers at {self._path}: {getattr(exc, 'strerror', None) or exc}",
                hint="`provisioning serve` starts one; name another socket with --socket",
            ) from exc
        finally:
            connection.close()


def _read_error(reply: http.client.HTTPResponse) -> InvalidArgument:
    text = reply.read().decode(errors="replace")
    try:
        shape = json.loads(text)
    except ValueError:
        shape = {"message": text.strip() or str(reply.status), "hint": None}
    return InvalidArgument(str(shape["message"]), hint=shape["hint"])

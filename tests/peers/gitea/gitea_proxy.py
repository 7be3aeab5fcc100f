"""A proxy on the loopback that passes requests on, and does one planned wrong to one of them."""

from __future__ import annotations

import http.client
import re
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}
"""Headers that are about one connection: RFC 9110, section 7.6.1."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One wrong.

    Args:
        forwards: How often the request is passed on before it.
        status: What is answered instead of the truth; 0 cuts the connection.
        headers: Of that answer.
        body: Of that answer.
        half: The true answer is sent, but only half of it.
        hangs: Nothing is answered for as long as the client waits.
        late: The request is passed on when the client has given up, and not before `let_go`.
    """

    forwards: int = 0
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    half: bool = False
    hangs: bool = False
    late: bool = False


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


class FaultyProxy:
    """A proxy before the server at *target*; use it in a `with`."""

    def __init__(self, target: str) -> None:
        self._target = urlsplit(target).netloc
        self._mutex = threading.Lock()
        self._planned: list[tuple[re.Pattern[str], Fault]] = []
        self._gate = threading.Event()
        self._late = threading.Event()
        self.hanging = threading.Event()
        self._held: list[socket.socket] = []
        self.seen: list[str] = []
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._held:  # a client that nobody ends any more would wait on
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._server.shutdown()
        self._server.server_close()

    def plan(self, pattern: str, fault: Fault) -> None:
        """Do *fault* to the next request whose method and path *pattern* matches."""
        self._planned.append((re.compile(pattern), fault))

    @property
    def is_done(self) -> bool:
        """Whether every planned wrong was done."""
        return not self._planned

    def let_go(self) -> None:
        """Let the request that was held back pass on, and wait until it has been answered."""
        self._gate.set()
        assert self._late.wait(600)

    def count(self, pattern: str) -> int:
        """Return how many requests came that *pattern* matches."""
        return sum(bool(re.search(pattern, each)) for each in self.seen)

    def take(self, request: str) -> Fault | None:
        """Return what is to be done to *request*."""
        with self._mutex:
            self.seen.append(request)
            for planned in self._planned:
                if planned[0].search(request):
                    self._planned.remove(planned)
                    return planned[1]
        return None

    def forward(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> _Reply:
        """Pass a request on."""
        link = http.client.HTTPConnection(self._target, timeout=600)
        try:
            link.request(method, path, body, dict(headers))
            answer = link.getresponse()
            return _Reply(answer.status, answer.getheaders(), answer.read())
        finally:
            link.close()

    def hold(self, connection: socket.socket) -> None:
        """Keep a connection without an answer, until its client or this proxy ends."""
        self._held.append(connection)
        self.hanging.set()

    def hold_back(self, send: Callable[[], object]) -> None:
        """Send a request when it is let go."""
        if self._gate.wait(600):
            send()
            self._late.set()


class _Handler(BaseHTTPRequestHandler):
    proxy: FaultyProxy
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Stay silent."""

    def do_GET(self) -> None:
        with suppress(ConnectionError):
            self._answer()

    do_POST = do_GET  # noqa: N815  the server asks for these names

    def _answer(self) -> None:
        body = self._read_body()
        fault = self.proxy.take(f"{self.command} {self.path}")
        if fault is None:
            try:
                reply = self._forward(body)
            except (OSError, http.client.HTTPException):
                self._cut()
                return
            self._send(reply.status, dict(reply.headers), reply.body)
            return
        for _ in range(fault.forwards):
            reply = self._forward(body)
        if fault.hangs:
            self.proxy.hold(self.connection)
            self._wait_for_the_end()
            if fault.late:
                self.proxy.hold_back(lambda: self._forward(body))
        elif fault.half:
            self._send(reply.status, dict(reply.headers), reply.body, half=True)
        elif fault.status:
            self._send(fault.status, dict(fault.headers), fault.body)
        elif fault.forwards > 1:
            self._send(reply.status, dict(reply.headers), reply.body)
        else:
            self._cut()

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().strip() or b"0", 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _forward(self, body: bytes) -> _Reply:
        kept = {k: v for k, v in self.headers.items() if k.lower() not in HOP_BY_HOP}
        return self.proxy.forward(self.command, self.path, kept, body)

    def _send(
        self, status: int, headers: Mapping[str, str], body: bytes, *, half: bool = False
    ) -> None:
        self.send_response(status)
        for key, value in headers.items():
            if key.lower() not in {*HOP_BY_HOP, "date", "server"}:
                self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if half else body)
        self.close_connection = half or self.close_connection

    def _cut(self) -> None:
        # Without lingering the peer gets a reset instead of a polite end.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RD)

    def _wait_for_the_end(self) -> None:
        self.connection.settimeout(600)
        with suppress(TimeoutError, ConnectionError):
            while self.connection.recv(4096):
                pass
        self.close_connection = True

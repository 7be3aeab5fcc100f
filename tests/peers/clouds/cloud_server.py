"""A proxy on loopback behind which a cloud answers, whatever server is asked for."""

from __future__ import annotations

import json
import ssl
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit


class Refused(Exception):
    """What a cloud answers: a status, a body, and headers."""

    def __init__(self, status, body, headers=()):
        super().__init__(status)
        self.status, self.body, self.headers = status, body, dict(headers)


@dataclass(frozen=True)
class Question:
    """What a cloud was asked: *host* is "" if it was no proxy that was asked."""

    method: str
    host: str
    path: str
    query: dict
    headers: object
    data: bytes

    @property
    def json(self):
        return json.loads(self.data)

    @property
    def form(self):
        return dict(parse_qsl(self.data.decode()))

    @property
    def token(self):
        return (self.headers.get("Authorization") or "").removeprefix("Bearer ")


class CloudServer:
    """Serves *cloud*: as a proxy by the certificate of *context*, and as its machines' own."""

    def __init__(self, cloud, context):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            host = ""

            def log_message(self, *_):
                pass

            def do_CONNECT(self):
                self.host = self.path.removesuffix(":443")
                self.send_response(200, "Connection established")
                self.end_headers()
                try:
                    self.connection = context.wrap_socket(self.connection, server_side=True)
                except (ssl.SSLError, OSError):
                    self.close_connection = True
                    return
                self.rfile = self.connection.makefile("rb", self.rbufsize)
                self.wfile = self.connection.makefile("wb", 0)
                self.close_connection = False

            def do_GET(self):
                parts = urlsplit(self.path)
                question = Question(
                    self.command,
                    self.host or parts.netloc,
                    parts.path,
                    dict(parse_qsl(parts.query)),
                    self.headers,
                    self.rfile.read(int(self.headers.get("Content-Length") or 0)),
                )
                try:
                    status, headers, body = 200, {}, cloud.answer(question)
                except Refused as exc:
                    status, headers, body = exc.status, exc.headers, exc.body
                raw = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            do_POST = do_GET  # noqa: N815  the server's own naming

            def finish(self):
                super().finish()
                self.connection.close()

        self._handler, self._context, self._servers = Handler, context, []
        self.place = f"127.0.0.1:{self._start().server_port}"
        self.address = f"http://{self.place}"

    def serve_alone(self):
        """Serve the cloud by TLS, without a proxy; return the address."""
        server = self._start()
        server.socket = self._context.wrap_socket(server.socket, server_side=True)
        return f"https://127.0.0.1:{server.server_port}"

    def _start(self):
        self._servers.append(ThreadingHTTPServer(("127.0.0.1", 0), self._handler))
        threading.Thread(target=self._servers[-1].serve_forever, daemon=True).start()
        return self._servers[-1]

    def stop(self):
        for server in self._servers:
            server.shutdown()
            server.server_close()

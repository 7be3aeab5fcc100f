"""A real Git server over HTTP on the loopback: `git http-backend` by CGI, and what can go wrong."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Mishap:
    """What goes wrong with one request: it is late, not passed on, or its answer is lost."""

    delay: float = 0.0
    before: bool = False
    after: bool = False


NONE = Mishap()


class GitHttpServer:
    """Serves the bare repositories below *root*; stopped, its port stays its own.

    *choose* tells of each request, by its method and path, what goes wrong with it.
    """

    def __init__(self, root: Path, choose: Callable[[str], Mishap] = lambda _: NONE) -> None:
        self.root = root
        self.choose = choose
        self.requests = 0
        self._server: ThreadingHTTPServer | None = None
        self._port = 0
        self.start()
        self.url = f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listen."""
        handler = type("Handler", (_Backend,), {"hub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), handler)
        self._server.daemon_threads = True
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Listen no more; what is being answered is finished."""
        self._server.shutdown()
        self._server.server_close()


class _Backend(BaseHTTPRequestHandler):
    """Answers by `git http-backend`, as a web server does by CGI (RFC 3875)."""

    hub: GitHttpServer
    protocol_version = "HTTP/1.0"

    def log_message(self, *_):
        """Stay silent."""

    def do_GET(self):
        self.answer(b"")

    def do_POST(self):
        length = self.headers.get("Content-Length")
        self.answer(self.rfile.read(int(length)) if length else self.read_chunks())

    def read_chunks(self):
        body = b""
        while size := int(self.rfile.readline().strip() or b"0", 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        return body

    def answer(self, body):
        self.hub.requests += 1
        mishap = self.hub.choose(f"{self.command} {self.path}")
        time.sleep(mishap.delay)
        if mishap.before:
            self.send_error(500, "a planned failure")
            return
        status, headers, content = self.run(body)
        if mishap.after:
            self.connection.close()
            return
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(content)

    def run(self, body):
        path, _, query = self.path.partition("?")
        environment = os.environ | {
            "GIT_PROJECT_ROOT": str(self.hub.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_USER": "ana",
        }
        done = subprocess.run(
            ["git", "http-backend"], input=body, env=environment, capture_output=True, check=False
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        return int(headers.pop("Status", "200").split()[0]), headers, content

"""The HTTP client against a server on the loopback that answers by a script."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from provisioning.core.model.errors import InvalidConfiguration, RemoteUnreachable
from provisioning.transport.http import HttpClient, HttpPolicy


class Server:
    """Answers calls by *script*, the last entry for ever: (status, headers, body) or None."""

    def __init__(self):
        self.script, self.calls = [(200, {}, b"{}")], []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self):
                length = int(self.headers.get("Content-Length", 0))
                call = (self.command, self.path, dict(self.headers), self.rfile.read(length))
                server.calls.append(call)
                answer = server.script[min(len(server.calls), len(server.script)) - 1]
                if answer is None:
                    self.close_connection = True
                    return
                status, headers, body = answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = answer  # noqa: N815  their names

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


@pytest.fixture
def build(server):
    clients = []

    def build(**policy):
        pauses = []
        clock = lambda: sum(pauses)  # noqa: E731  the clock goes only while it sleeps
        client = HttpClient(
            server.url,
            setting="forge.url",
            policy=HttpPolicy(**policy),
            sleep=pauses.append,
            now=clock,
        )
        clients.append(client)
        return client, pauses

    yield build
    for client in clients:
        client.close()


def send(client, method="GET", **more):
    return client.send(method, "/x", headers=lambda: {"Authorization": "token t"}, **more)


def test_a_call_carries_headers_query_and_body(server, build):
    """And the answer is returned as it came."""
    server.script = [(201, {"X-Total-Count": "3"}, b"[1]")]
    client, _ = build()
    reply = send(client, "POST", body=json.dumps({"a": 1}).encode(), query={"page": 2})
    assert (reply.status, reply.reason, reply.body) == (201, "Created", b"[1]")
    assert reply.headers["x-total-count"] == "3"
    ((method, path, headers, body),) = server.calls
    assert (method, path, body) == ("POST", "/x?page=2", b'{"a": 1}')
    assert headers["Authorization"] == "token t"
    assert headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("trouble", [(503, {}, b""), (429, {}, b""), None])
def test_a_read_is_repeated_after_what_is_transient(server, build, trouble):
    """With pauses that double."""
    server.script = [trouble, trouble, (200, {}, b"{}")]
    client, pauses = build()
    assert send(client).status == 200
    assert pauses == [2.0, 4.0]


@pytest.mark.parametrize(("status", "count"), [(503, 1), (429, 2), (409, 1), (302, 1)])
def test_a_write_is_repeated_only_where_nothing_was_done(server, build, status, count):
    """429 says so; a redirect is followed by nobody, for the token would go along."""
    server.script = [(status, {"Location": "/y"}, b""), (200, {}, b"{}")]
    client, _ = build()
    assert send(client, "POST").status == (200 if count == 2 else status)
    assert len(server.calls) == count
    assert all(path == "/x" for _, path, _, _ in server.calls)


def test_a_write_that_is_cut_off_is_not_repeated(server, build):
    """It may have been done."""
    server.script = [None, (200, {}, b"{}")]
    client, _ = build()
    with pytest.raises(RemoteUnreachable, match="does not answer") as caught:
        send(client, "POST")
    assert "forge.url" in caught.value.hint
    assert len(server.calls) == 1


@pytest.mark.parametrize(
    ("policy", "asked", "pauses"),
    [
        ({"max_attempts": 3}, "7", [7.0, 7.0]),
        ({"max_attempts": 3, "max_pause": 5.0}, "70", [5.0, 5.0]),
        ({"max_attempts": 9, "deadline": 20.0}, "7", [7.0, 7.0]),
        ({"max_attempts": 1}, "7", []),
        ({"max_attempts": 2}, "Fri, 31 Dec 1999 23:59:59 GMT", [2.0]),
    ],
)
def test_attempts_pauses_and_deadline_are_limited(server, build, policy, asked, pauses):
    """The last answer is returned, whatever it was."""
    server.script = [(503, {"Retry-After": asked}, b"")]
    client, made = build(**policy)
    assert send(client).status == 503
    assert made == pauses


def test_a_larger_answer_is_refused(server, build):
    """No forge fills the memory."""
    server.script = [(200, {}, b"x" * 2000)]
    client, _ = build(max_size=1000, max_attempts=1)
    with pytest.raises(RemoteUnreachable, match="sends more than"):
        send(client)


def test_a_closed_client_opens_anew(server, build):
    """To close it twice is allowed, too."""
    client, _ = build()
    assert send(client).status == 200
    client.close()
    client.close()
    assert send(client).status == 200


@pytest.mark.parametrize(
    ("url", "is_taken"),
    [
        ("https://git.example.org", True),
        ("http://localhost:3000", True),
        ("http://127.8.9.1:3000", True),
        ("http://[::1]:3000/git", True),
        ("http://git.example.org", False),
        ("http://10.0.0.1", False),
        ("http://localhost.example.org", False),
    ],
)
def test_a_token_leaves_this_machine_encrypted_only(url, is_taken):
    """Plain http is for the loopback."""
    if is_taken:
        HttpClient(url, setting="forge.url")
        return
    with pytest.raises(InvalidConfiguration, match="everybody on the way could read the token"):
        HttpClient(url, setting="forge.url")

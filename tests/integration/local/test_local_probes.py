import os
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from provisioning.core.model.errors import ProviderError
from provisioning.core.model.providers import ProbeReady, ProbeWaiting
from provisioning.providers.local.processes import probes

P = "Process/web"
SLEEP = {"command": ["sleep", "600"]}


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(self.path.strip("/?x=")))
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def page():
    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def probe(bench):
    """Start a sleeping process that is probed so, and probe it."""

    def probe(ready, **more):
        spec = {**SLEEP, "ready": ready, **more}
        attributes = bench.create(P, spec)
        assert bench.provider.get_probe_timeout("Process", {**spec, **attributes}) == 30
        return bench.provider.probe("Process", {**spec, **attributes})

    return probe


def test_port(probe, bench):
    """A port that answers is ready; one that does not is waited for, by its number."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert probe({"tcp": port}) == ProbeReady()
    attributes = bench.look(P).attributes
    assert bench.provider.probe("Process", attributes) == ProbeWaiting(
        f"port {port}: connection refused"
    )


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/200", ProbeReady()),
        ("/302?x=", ProbeReady()),
        ("/404", "answers 404"),
        ("/500", "answers 500"),
    ],
)
def test_page(probe, page, path, expected):
    """A page is ready with 2xx or 3xx, which is not followed."""
    got = probe({"http": page + path})
    assert got == expected if isinstance(expected, ProbeReady) else expected in got.reason


def test_page_not_served(probe):
    """A server that is not there yet is waited for."""
    assert isinstance(probe({"http": "http://127.0.0.1:1/"}), ProbeWaiting)


def test_page_ignores_proxies(probe, page, monkeypatch):
    """A proxy of ours has nothing to do with a server on this machine."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert probe({"http": f"{page}/200"}) == ProbeReady()


def test_command(probe, bench):
    """A command is ready when it exits with 0; it runs where and as the process does."""
    bench.root.mkdir()
    script = 'test "$A" = 1 && test "$PWD" = ' + str(bench.root)
    assert probe({"exec": ["sh", "-c", script]}, env={"A": "1"}) == ProbeReady()
    bench.delete(P)
    assert probe({"exec": ["sh", "-c", "exit 4"]}) == ProbeWaiting("sh ends with 4")


def test_slow_command(probe, monkeypatch):
    """A command that takes too long is ended, with whatever it started."""
    monkeypatch.setattr(probes, "PATIENCE", 0.05)
    assert "takes more than" in probe({"exec": ["sh", "-c", "sleep 600; true"]}).reason


def test_command_bears_no_mark(probe):
    """What probes a process is not a part of it."""
    script = 'test -z "$PROVISIONING_MARK"'
    assert probe({"exec": ["sh", "-c", script]}) == ProbeReady()


def test_ended_never_becomes_ready(bench, wait_until):
    """A process that has ended fails its probe with its code and the end of its log."""
    script = "for i in 1 2 3 4 5 6 7; do echo line $i; done; exit 3"
    attributes = bench.create(P, {"command": ["sh", "-c", script], "ready": {"tcp": 1}})
    wait_until(lambda: bench.is_absent(P))
    with pytest.raises(ProviderError, match="exit code 3") as caught:
        bench.provider.probe("Process", attributes)
    assert "line 3" in caught.value.message
    assert "line 2" not in caught.value.message
    assert attributes["log"] in caught.value.hint


def test_ended_well_is_ready(bench, wait_until):
    """A program that was to end, and did so with 0, is ready."""
    spec = {"command": ["true"], "restart": "never", "ready": {"tcp": 1}}
    attributes = bench.create(P, spec)
    wait_until(lambda: bench.look(P).attributes["exit_code"] == 0)
    assert bench.provider.probe("Process", attributes) == ProbeReady()
    assert bench.provider.probe("Process", bench.look(P).attributes) == ProbeReady()


def test_reused_pid_is_not_it(bench):
    """A process is known by its id and its start: another with the same id is not it."""
    attributes = bench.create(P, {**SLEEP, "ready": {"exec": ["true"]}})
    with pytest.raises(ProviderError, match="has ended"):
        bench.provider.probe("Process", {**attributes, "pid": os.getpid()})


def test_others_are_ready_at_once(bench):
    """What is no process, or has no probe, is not probed."""
    assert bench.provider.get_probe_timeout("File", {}) == 0
    assert bench.provider.get_probe_timeout("Process", SLEEP) == 0
    assert bench.provider.probe("File", {}) == ProbeReady()

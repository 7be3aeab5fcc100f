"""Tells whether a process serves: by a port, a web page or a command."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from provisioning.core.model.providers import ProbeReady, ProbeWaiting
from provisioning.core.model.values import Tree
from provisioning.providers.local.processes.launch import build_environment, find_program

HOST = "127.0.0.1"
PATIENCE = 2.0
"""Seconds that one probe may take."""

LAST_LINES, LAST_BYTES = 5, 4096
OK = range(200, 400)


def probe(attributes: Mapping[str, Tree], inside: Path) -> ProbeReady | ProbeWaiting:
    """Probe once in the way that `ready` says; a command runs in the folder *inside*."""
    match attributes.get("ready"):
        case {"tcp": port}:
            return _probe_port(port)
        case {"http": url}:
            return _probe_page(url)
        case {"exec": command}:
            return _probe_command({"command": command, "env": attributes["env"]}, inside)
    return ProbeReady()


def _probe_port(port: int) -> ProbeReady | ProbeWaiting:
    try:
        socket.create_connection((HOST, port), timeout=PATIENCE).close()
    except OSError as exc:
        return ProbeWaiting(f"port {port}: {_explain(exc)}")
    return ProbeReady()


def _probe_page(url: str) -> ProbeReady | ProbeWaiting:
    """Get *url* without following a redirect, and without a proxy."""
    from http.client import HTTPConnection, HTTPException, HTTPSConnection

    parts = urlsplit(url)
    connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    try:
        connection = connect(parts.netloc.rpartition("@")[2], timeout=PATIENCE)
        try:
            connection.request("GET", (parts.path or "/") + (f"?{parts.query}" * bool(parts.query)))
            status = connection.getresponse().status
        finally:
            connection.close()
    except HTTPException as exc:
        return ProbeWaiting(f"{url}: {type(exc).__name__}")
    except OSError as exc:
        return ProbeWaiting(f"{url}: {_explain(exc)}")
    return ProbeReady() if status in OK else ProbeWaiting(f"{url} answers {status}")


def _probe_command(spec: Mapping[str, Tree], inside: Path) -> ProbeReady | ProbeWaiting:
    program = find_program(spec, inside)
    process = subprocess.Popen(
        [program, *spec["command"][1:]],
        cwd=inside,
        env=build_environment(spec["env"]),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        code = process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return ProbeWaiting(f"{spec['command'][0]} takes more than {PATIENCE:g} s")
    return ProbeReady() if code == 0 else ProbeWaiting(f"{spec['command'][0]} ends with {code}")


def _explain(exc: OSError) -> str:
    return (exc.strerror or str(exc) or type(exc).__name__).lower()


def read_last_lines(log: Path) -> str:
    """Return the end of *log*, to be put after a sentence."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - LAST_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return "\n  ".join(["; its log ends:", *lines[-LAST_LINES:]]) if lines else ""

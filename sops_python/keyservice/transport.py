"""gRPC and the form of addresses, for clients and servers of a key service."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from sops_python.errors import SopsError

SERVICE = "KeyService"
METHODS = {"Encrypt": "encrypt", "Decrypt": "decrypt"}
"""Each method of the service, and the verb for it."""

_HOST_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:/@\s]+):(\d{1,5})")
_LAST_PORT = 65535


class InvalidAddress(SopsError):
    """An address is not one of a key service."""


def load_grpc() -> Any:
    """Return the module `grpc`, silenced: it raises errors, and prints none.

    Raises:
        SopsError: If it is not installed.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        import grpc
    except ImportError as exc:
        raise SopsError(
            "a key service needs grpcio", hint="pip install 'provisioning[keyservice]'"
        ) from exc
    return grpc


def parse_address(address: str, folder: Path) -> str:
    """Return how gRPC writes *address*: `unix:///path`, or `tcp://host:port`.

    Args:
        address: The address.
        folder: Where a relative path begins.

    Raises:
        InvalidAddress: If it is neither.
    """
    try:
        parts = urlsplit(address)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme == "unix" and parts.path and not parts.netloc:
        return locate_socket(folder / unquote(parts.path))
    if parts.scheme == "tcp" and _names_port(parts.netloc):
        return f"dns:{quote(parts.netloc, safe=':')}"
    raise InvalidAddress(
        f"{address!r} is not the address of a key service",
        hint="write unix:///path/of/socket or tcp://host:port",
    )


def locate_socket(path: Path) -> str:
    """Return how gRPC writes the address of the socket at *path*."""
    return f"unix:{quote(os.fsencode(os.path.normpath(path)))}"


def parse_port(address: str) -> str:
    """Return how gRPC writes the *address* to listen at: `HOST:PORT`, or `:PORT` for every host.

    Raises:
        InvalidAddress: If it is none.
    """
    full = f"[::]{address}" if address.startswith(":") else address
    if not _names_port(full):
        raise InvalidAddress(f"{address!r} is not an address of TCP", hint="write 127.0.0.1:5000")
    return full


def _names_port(text: str) -> bool:
    match = _HOST_AND_PORT.fullmatch(text)
    return match is not None and int(match[2]) <= _LAST_PORT

"""Asks a key service, which is `sops keyservice` or ours, to use its keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sops_python.errors import KeyUnusable
from sops_python.keyservice.messages import (
    MalformedMessage,
    parse_answer,
    render_request,
)
from sops_python.keyservice.transport import SERVICE, load_grpc, parse_address
from sops_python.metadata import MasterKey
from sops_python.terminal_text import escape_controls

_OPTIONS = (("grpc.enable_http_proxy", 0),)


class RemoteKeyring:
    """Uses the keys of a key service; each call connects anew, and waits while a person is asked.

    Args:
        address: Where it listens: `unix:///path`, or `tcp://host:port`.
        folder: Where a relative path begins.

    Raises:
        InvalidAddress: If the address is none.
        SopsError: If gRPC is not installed.
    """

    def __init__(self, address: str, folder: Path) -> None:
        self._address = address
        self._target = parse_address(address, folder)
        self._grpc = load_grpc()

    def wrap(self, key: MasterKey, data: bytes) -> str:
        """Return *data* encrypted by *key*.

        Raises:
            KeyUnusable: If the service refuses, or does not answer.
        """
        answer = self._call("Encrypt", key, data)
        try:
            return answer.decode()
        except UnicodeDecodeError as exc:
            raise self._describe_nonsense(key) from exc

    def unwrap(self, key: MasterKey) -> bytes:
        """Return what *key* has wrapped.

        Raises:
            KeyUnusable: If the service refuses, or does not answer.
        """
        return self._call("Decrypt", key, key.wrapped.encode())

    def _call(self, method: str, key: MasterKey, data: bytes) -> bytes:
        request = render_request(key, data)
        try:
            with self._grpc.insecure_channel(self._target, options=_OPTIONS) as channel:
                answer = parse_answer(channel.unary_unary(f"/{SERVICE}/{method}")(request))
        except self._grpc.RpcError as exc:
            raise self._describe(exc, method, key) from exc
        except MalformedMessage as exc:
            raise self._describe_nonsense(key) from exc
        if not answer:
            raise self._describe_nonsense(key)
        return answer

    def _describe(self, error: Any, method: str, key: MasterKey) -> KeyUnusable:
        reason = escape_controls(" ".join(str(error.details()).split()))
        if error.code() is self._grpc.StatusCode.UNAVAILABLE:
            return KeyUnusable(
                f"the key service at {self._address} does not answer: is `sops keyservice` "
                f"running there? {reason}",
                hint="start it, or leave out --keyservice and SOPS_KEYSERVICE",
            )
        return KeyUnusable(
            f"the key service at {self._address} could not {method.lower()} with {key.label}: "
            f"{reason}",
            hint="see what `sops keyservice --verbose` tells where it runs",
        )

    def _describe_nonsense(self, key: MasterKey) -> KeyUnusable:
        return KeyUnusable(
            f"the key service at {self._address} answered for {key.label} without a key",
            hint="check that `sops keyservice` is what listens there",
        )

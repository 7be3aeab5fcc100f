"""Several keyrings, of which each is asked until one can use the key."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from sops_python.data_keys import Keyring
from sops_python.errors import KeyUnusable, SopsError
from sops_python.keys.keyring import NoKeyring
from sops_python.metadata import MasterKey

Answer = TypeVar("Answer")


class KeyringChain(msgspec.Struct, frozen=True):
    """Uses of *keyrings* the first that can."""

    keyrings: tuple[Keyring, ...]

    def wrap(self, key: MasterKey, data: bytes) -> str:
        """Return *data* encrypted by *key*.

        Raises:
            KeyUnusable: If no keyring can; the message says why for each, one a line.
        """
        return self._ask(lambda keyring: keyring.wrap(key, data))

    def unwrap(self, key: MasterKey) -> bytes:
        """Return what *key* has wrapped.

        Raises:
            KeyUnusable: If no keyring can; the message says why for each, one a line.
        """
        return self._ask(lambda keyring: keyring.unwrap(key))

    def _ask(self, use: Callable[[Keyring], Answer]) -> Answer:
        failures: list[SopsError] = []
        for keyring in self.keyrings:
            try:
                return use(keyring)
            except SopsError as exc:
                failures.append(exc)
        raise KeyUnusable(
            "\n".join(failure.message for failure in failures), hint=failures[-1].hint
        ) from failures[-1]


def join_keyrings(keyrings: tuple[Keyring, ...]) -> Keyring:
    """Return one keyring that uses the keys of all, which are asked in this order."""
    match keyrings:
        case ():
            return NoKeyring()
        case (only,):
            return only
    return KeyringChain(keyrings)

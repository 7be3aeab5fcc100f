"""The webhooks of a forge: how a delivery is signed, and the hint in it. Pure."""

from __future__ import annotations

from collections.abc import Callable
from re import Pattern
from typing import TypeAlias

import msgspec


class PushHint(msgspec.Struct, frozen=True):
    """Somebody pushed to a branch."""

    branch: str


class PullHint(msgspec.Struct, frozen=True):
    """Something happened to a pull request."""

    number: int


Hint: TypeAlias = PushHint | PullHint


class UnreadableHook(ValueError):
    """The body is not what the event should carry."""


class HookFormat(msgspec.Struct, frozen=True, kw_only=True):
    """The format of a forge's webhooks; the names of headers are in small letters.

    Args:
        signature: The header of the signature; a delivery of another forge has none.
        delivery: The header of the delivery's id.
        event: The header of the event's name.
        pattern: The signatures that can be one.
        is_signed: Returns whether a signature is that of a body by a secret, in constant time.
        parse: Returns the hint in an event's body, which is never trusted: it only names what to
            read; None if it is about nothing of ours. Raises `UnreadableHook`.
    """

    signature: str
    delivery: str
    event: str
    pattern: Pattern[str]
    is_signed: Callable[[bytes, str, str], bool]
    parse: Callable[[str, bytes], Hint | None]

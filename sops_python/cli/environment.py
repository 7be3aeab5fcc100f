"""The environment as the program was given it, for the programs that it starts."""

from __future__ import annotations

import os
from pathlib import Path

_COERCED = frozenset(("C.UTF-8", "C.utf8", "UTF-8"))
"""The values to which Python itself sets `LC_CTYPE` in the C locale (PEP 538)."""


def read_environment() -> dict[str, str]:
    """Return the environment variables, without the one that Python may have added."""
    environ = dict(os.environ)
    if environ.get("LC_CTYPE") in _COERCED and not _was_given("LC_CTYPE"):
        del environ["LC_CTYPE"]
    return environ


def _was_given(name: str) -> bool:
    try:
        given = Path("/proc/self/environ").read_bytes()
    except OSError:
        return True
    return f"\0{name}=".encode() in b"\0" + given

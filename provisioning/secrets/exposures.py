"""Finds credentials that a change brings in plain text, by their shapes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from provisioning.secrets.checking import CREDENTIALS


@dataclass(frozen=True, slots=True)
class Exposed:
    """One credential: what it is, its line counted from 1, and its text, for redaction alone."""

    what: str
    line: int
    text: str = field(repr=False)


def find_exposed(data: bytes) -> Iterator[Exposed]:
    """Yield every credential in *data*, in the order of their lines."""
    found = [
        Exposed(what, data.count(b"\n", 0, match.start()) + 1, match[0].decode("latin-1"))
        for what, shape in CREDENTIALS.items()
        for match in shape.finditer(data)
    ]
    yield from sorted(found, key=lambda each: each.line)

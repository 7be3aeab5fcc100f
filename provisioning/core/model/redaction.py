"""Removes secrets from texts that people will read: messages, logs, events, output."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator

from provisioning.core.model.errors import ProvisioningError

SHOWN = "***"
"""What a secret looks like to everybody."""

TELLTALE = 4
"""A text that holds a secret of at least this many characters tells it."""

_PLAIN = re.compile(r"[A-Za-z0-9_.-]*")
"""What is written alike everywhere."""


class Redactor:
    """Knows secrets in every form in which they are commonly written.

    The forms are: as it is; in base64, wherever it begins in what was encoded; in hexadecimal
    digits; in URLs, HTML, JSON, Python, and a shell's quotes; and each longer line of a value of
    several lines. Values of fewer than 4 characters are not looked for: they are in every text.
    What it costs to redact a text does not depend on how many secrets are known.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._mutex = threading.Lock()
        self._known: set[str] = set()
        self._pending: list[str] = []
        self._forms: dict[str, tuple[str, ...]] = {}
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Redact *secret* from now on."""
        with self._mutex:
            if len(secret) >= TELLTALE and secret not in self._known:
                self._pending.append(secret)
                self._known.add(secret)

    def redact(self, text: str) -> str:
        """Return *text* with `***` in place of every secret."""
        if not self._known:
            return text
        self._index_pending()
        parts, end = [], 0
        for first, last in self._find_spans(text):
            parts += [text[end:first], SHOWN]
            end = last
        return "".join([*parts, text[end:]])

    def _index_pending(self) -> None:
        """File each form under how it begins; the longest of those that begin alike first.

        A secret is pending until that is done, so that no other thread goes on without it.
        """
        if not self._pending:
            return
        with self._mutex:
            while self._pending:
                for form in set(list_forms(self._pending[-1])):
                    start = form[:TELLTALE]
                    alike = (*self._forms.get(start, ()), form)
                    self._forms[start] = tuple(sorted(alike, key=len, reverse=True))
                self._pending.pop()

    def _find_spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where secrets begin and end; those that overlap are one."""
        first = last = 0
        for place in range(len(text) - TELLTALE + 1):
            for form in self._forms.get(text[place : place + TELLTALE], ()):
                if text.startswith(form, place):
                    if place >= last:
                        if last:
                            yield first, last
                        first = place
                    last = max(last, place + len(form))
                    break
        if last:
            yield first, last

    def redact_error(self, error: ProvisioningError) -> None:
        """Remove the secrets from what *error* says."""
        error.message = self.redact(error.message)
        error.hint = self.redact(error.hint) if error.hint else error.hint
        error.args = (error.message,)


def list_forms(secret: str) -> Iterator[str]:
    """Yield every text that tells *secret*."""
    lines = [line for line in secret.splitlines() if len(line) >= 2 * TELLTALE]
    for text in (secret, *(lines if "\n" in secret else ())):
        yield text
        raw = text.encode("utf-8", "surrogateescape")
        yield from _list_base64(raw)
        yield raw.hex()
        yield raw.hex().upper()
        if not _PLAIN.fullmatch(text):
            yield from _list_escaped(text, raw)


def _list_escaped(text: str, raw: bytes) -> Iterator[str]:
    import html
    import json
    import shlex
    from urllib.parse import quote, quote_plus

    yield quote(raw)
    yield quote(raw, safe="")
    yield quote_plus(raw)
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield html.escape(text)
    yield html.escape(text, quote=False)
    yield repr(text)[1:-1]
    yield ascii(text)[1:-1]
    yield shlex.quote(text)


def _list_base64(raw: bytes) -> Iterator[str]:
    """Yield what stands for *raw* in base64, for each of the three places it can begin at."""
    import base64

    for offset in range(3):
        padded = bytes(offset) + raw
        encoded = base64.b64encode(padded).decode()
        first = -(-offset * 8 // 6)
        last = len(padded) * 8 // 6
        form = encoded[first:last]
        if len(form) >= 2 * TELLTALE:
            yield form
            yield form.replace("+", "-").replace("/", "_")

"""Removes secrets from texts that people will read: messages, logs, events, output."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from provisioning.core.errors import ProvisioningError

SHOWN = "***"
"""What a secret looks like to everybody."""

TELLTALE = 4
"""A text that holds a secret of at least this many characters tells it."""


class Redactor:
    """Knows secrets in every form in which they are commonly written.

    The forms are: as it is; in base64, wherever it begins in what was encoded; in URLs; in JSON;
    in a shell's quotes; and each longer line of a value of several lines. Values of fewer than
    4 characters are not looked for: they are in every text.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        for each in secrets:
            self.add(each)

    def add(self, secret: str) -> None:
        """Redact *secret* from now on."""
        if len(secret) >= TELLTALE and secret not in self._known:
            self._known.add(secret)
            self._pattern = None

    def redact(self, text: str) -> str:
        """Return *text* with `***` in place of every secret."""
        if not self._known:
            return text
        if self._pattern is None:
            forms = {form for secret in self._known for form in list_forms(secret)}
            longest_first = sorted(forms, key=lambda form: (-len(form), form))
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))
        return self._pattern.sub(SHOWN, text)

    def redact_error(self, error: ProvisioningError) -> None:
        """Remove the secrets from what *error* says."""
        error.message = self.redact(error.message)
        error.hint = self.redact(error.hint) if error.hint else error.hint
        error.args = (error.message,)


def list_forms(secret: str) -> Iterator[str]:
    """Yield every text that tells *secret*."""
    import json
    import shlex
    from urllib.parse import quote, quote_plus

    lines = [line for line in secret.splitlines() if len(line) >= 2 * TELLTALE]
    for text in (secret, *(lines if "\n" in secret else ())):
        yield text
        raw = text.encode("utf-8", "surrogateescape")
        yield from _list_base64(raw)
        yield quote(raw)
        yield quote(raw, safe="")
        yield quote_plus(raw)
        yield json.dumps(text)[1:-1]
        yield json.dumps(text, ensure_ascii=False)[1:-1]
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

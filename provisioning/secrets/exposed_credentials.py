"""Finds credentials that a change brings in plain text, by their shapes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from provisioning.core.model.masked import Masked

CREDENTIALS = {
    "an AWS access key": re.compile(rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "an age identity": re.compile(rb"\bAGE-SECRET-KEY-(?:PQ-)?1[0-9A-Z]{20,}"),
    "a private key": re.compile(rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----"),
    "a GitHub token": re.compile(rb"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{60,})"),
    "a GitLab token": re.compile(rb"\bglpat-[A-Za-z0-9_-]{20,}"),
    "a Slack token": re.compile(rb"\bxox[abprs]-[A-Za-z0-9-]{10,}"),
    "a Google API key": re.compile(rb"\bAIza[0-9A-Za-z_-]{35}"),
    "a Stripe key": re.compile(rb"\b[rs]k_live_[0-9A-Za-z]{24,}"),
    "an npm token": re.compile(rb"\bnpm_[0-9A-Za-z]{36}\b"),
    "a PyPI token": re.compile(rb"\bpypi-AgEIcHlwaS[\w-]{50,}"),
    "a Vault token": re.compile(rb"\bhvs\.[A-Za-z0-9_-]{24,}"),
}
"""The shapes of credentials that stand for themselves."""


MAX_FOUND = 100
"""Credentials of one shape that are found in one file."""


class Exposed(Masked, frozen=True):
    """One credential: what it is, its line counted from 1, and its text, for redaction alone."""

    what: str
    line: int
    text: str


def find_exposed(data: bytes) -> Iterator[Exposed]:
    """Yield the first credentials in *data*, in their order; `MAX_FOUND` of each shape."""
    found = [
        (match.start(), what, match[0])
        for what, shape in CREDENTIALS.items()
        for match in islice(shape.finditer(data), MAX_FOUND)
    ]
    line = end = 0
    for start, what, text in sorted(found):
        line, end = line + data.count(b"\n", end, start), start
        yield Exposed(what, line + 1, text.decode("latin-1"))

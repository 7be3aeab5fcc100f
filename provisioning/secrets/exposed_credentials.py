"""Finds credentials that a change brings in plain text, by their shapes."""

from __future__ import annotations

import re
from collections.abc import Iterator

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


class Exposed(Masked, frozen=True):
    """One credential: what it is, its line counted from 1, and its text, for redaction alone."""

    what: str
    line: int
    text: str


def find_exposed(data: bytes) -> Iterator[Exposed]:
    """Yield every credential in *data*, in the order of their lines."""
    found = [
        Exposed(what, data.count(b"\n", 0, match.start()) + 1, match[0].decode("latin-1"))
        for what, shape in CREDENTIALS.items()
        for match in shape.finditer(data)
    ]
    yield from sorted(found, key=lambda item: item.line)

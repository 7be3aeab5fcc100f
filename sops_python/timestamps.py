"""Points in time as SOPS files hold them."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> str:
    """Return this moment in RFC 3339, UTC, in whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

"""Gitea's webhooks: their headers, their signature, and the hint in each. Pure."""

from __future__ import annotations

import hashlib
import hmac
import json
import re

from provisioning.forges.webhooks import Hint, HookFormat, PullHint, PushHint, UnreadableHook

REVIEWABLE = frozenset({"pull_request", "issue_comment", "pull_request_comment"})
"""The first words of the events that are about a pull request; Gitea puts others behind them."""

MISSHAPEN = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""The exceptions of a body of another shape."""


def is_signed(body: bytes, signature: str, secret: str) -> bool:
    """Return whether *signature* is the hexadecimal HMAC-SHA256 of *body*; in constant time."""
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace"))


def parse_hook(event: str, body: bytes) -> Hint | None:
    """Return the hint in a delivery; None if it is about nothing of ours.

    Raises:
        UnreadableHook: If *body* is no JSON, or of another shape.
    """
    is_review = any(event == item or event.startswith(f"{item}_") for item in REVIEWABLE)
    if event != "push" and not is_review:
        return None
    try:
        data = json.loads(body)
        if event == "push":
            return PushHint(str(data["ref"]).removeprefix("refs/heads/"))
        if event == "issue_comment" and not data["is_pull"]:
            return None
        about = data.get("pull_request") or data["issue"]
        return PullHint(int(about["number"]))
    except MISSHAPEN as exc:
        raise UnreadableHook(f"the body is not that of a {event!r} event") from exc


FORMAT = HookFormat(
    signature="x-gitea-signature",
    delivery="x-gitea-delivery",
    event="x-gitea-event",
    pattern=re.compile(r"[0-9a-f]{64}"),
    is_signed=is_signed,
    parse=parse_hook,
)

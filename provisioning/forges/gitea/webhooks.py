"""The hint in a webhook, which is never trusted: it only names what to read. Pure."""

from __future__ import annotations

import json
from typing import TypeAlias

import msgspec

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


class PushHint(msgspec.Struct, frozen=True):
    """Somebody pushed to a branch."""

    branch: str


class PullHint(msgspec.Struct, frozen=True):
    """Something happened to a pull request."""

    number: int


Hint: TypeAlias = PushHint | PullHint


class UnreadableHook(ValueError):
    """The body is not what the event should carry."""


def parse_hook(event: str, body: bytes) -> Hint | None:
    """Return what a delivery of Gitea hints at; None if it is about nothing of ours.

    Args:
        event: The header `X-Gitea-Event`.
        body: The body as it was sent, of which the signature was checked.

    Raises:
        UnreadableHook: If it is no JSON, or of another shape.
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

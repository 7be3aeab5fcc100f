"""Targets that anybody on the network can send us."""

from __future__ import annotations

from properties import hold

from provisioning.forges.gitea.webhooks import parse_hook
from provisioning.forges.webhooks import PullHint, PushHint, UnreadableHook


def check_hook(data: bytes) -> None:
    """A webhook is a hint, nothing of ours, or refused; the event is the input's first line."""
    event, _, body = data.partition(b"\n")
    try:
        hint = parse_hook(event.decode(errors="replace"), body)
    except UnreadableHook:
        return
    hold(hint is None or isinstance(hint, PushHint | PullHint), f"not a hint: {hint!r}")

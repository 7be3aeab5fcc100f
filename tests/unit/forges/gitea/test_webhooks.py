"""What webhooks hint at."""

import json

import pytest

from provisioning.forges.gitea.webhooks import parse_hook
from provisioning.forges.webhooks import PullHint, PushHint, UnreadableHook


@pytest.mark.parametrize(
    ("event", "data", "hint"),
    [
        ("push", {"ref": "refs/heads/main"}, PushHint("main")),
        ("push", {"ref": "refs/heads/a/b"}, PushHint("a/b")),
        ("push", {"ref": "refs/tags/v1"}, PushHint("refs/tags/v1")),
        ("pull_request", {"pull_request": {"number": 7}}, PullHint(7)),
        ("pull_request_sync", {"pull_request": {"number": 7}}, PullHint(7)),
        ("issue_comment", {"is_pull": True, "issue": {"number": 8}}, PullHint(8)),
        ("issue_comment", {"is_pull": False, "issue": {"number": 8}}, None),
        ("star", {}, None),
        ("", {}, None),
    ],
)
def test_what_is_hinted_at(event, data, hint):
    """Pushes and pull requests; nothing else is ours."""
    assert parse_hook(event, json.dumps(data).encode()) == hint


@pytest.mark.parametrize(
    ("event", "body"),
    [
        ("push", b""),
        ("push", b"[1]"),
        ("push", b'{"reff": 1}'),
        ("push", b"\xff"),
        ("push", b"[" * 100_000),
        ("pull_request", b'{"pull_request": {"number": "seven"}}'),
        ("pull_request", b'{"pull_request": 7}'),
        ("issue_comment", b'{"is_pull": true, "issue": null}'),
        ("issue_comment", b'{"is_pull": true, "issue": {"number": 1e999}}'),
    ],
)
def test_garbage_is_refused(event, body):
    """With one error, whatever it is."""
    with pytest.raises(UnreadableHook, match=event):
        parse_hook(event, body)

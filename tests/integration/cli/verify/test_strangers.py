"""What a stranger does at length, at a real Gitea."""

import pytest
from pull_requests import edit, make_file

pytestmark = [pytest.mark.peer("gitea"), pytest.mark.xdist_group("gitea-strangers")]

MORE_THAN_A_PAGE = 60


def test_closed_pull_requests_hide_no_review(hosted):
    """However many were closed since, a merged one is found by its commit."""
    pull = hosted.open(edit("reviewed\n"))
    hosted.run("review")
    hosted.merge(pull)
    hosted.push("main", {"infra/web/other.yaml": make_file("other", "nobody read this")})
    hosted.push("noise", {"README.md": "noise"})
    body = {"head": "noise", "base": "main", "title": "Noise"}
    for _ in range(MORE_THAN_A_PAGE):
        number = hosted.call("ana", "POST", "/pulls", body)["number"]
        hosted.call("ana", "PATCH", f"/pulls/{number}", {"state": "closed"})
    told = hosted.run("reconcile", expected=3)
    assert "not as reviewed in #1: File/other" in told
    assert hosted.shop.live() == {"motd": "hello\n"}

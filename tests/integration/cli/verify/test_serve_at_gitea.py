"""`provisioning serve` at a real Gitea: its webhooks, its statuses, and its pull requests."""

import signal

import pytest
from pull_requests import make_file

pytestmark = [pytest.mark.peer("gitea"), pytest.mark.xdist_group("gitea-serve")]

CHANGED = make_file("motd", "changed\n")
PATH = "infra/web/example.yaml"


def test_a_failure_is_told_where_the_commit_is(hosted, hosted_service):
    """What cannot be read is a failed status, and the next good commit a good one."""
    commit = hosted.publish("kind: [nonsense\n")
    path = f"/commits/{commit}/statuses"
    found = hosted_service.wait(lambda: hosted.call("ops", "GET", path), "the status")
    assert [each["status"] for each in found] == ["failure"]
    assert PATH in found[0]["description"]


def test_a_token_that_is_not_taken_any_more(hosted, hosted_service):
    """It is told, and where; a new one counts from the next look on."""
    token = hosted.shop.home / "gitea-token"
    good = token.read_text()
    token.write_text("0" * 40 + "\n")
    hosted_service.send(signal.SIGHUP)
    hosted_service.wait(lambda: hosted_service.get("/readyz")[0] == 503, "the trouble to be told")
    assert "the token is invalid" in hosted_service.get("/readyz")[1]
    assert "0" * 40 not in hosted_service.log.read_text()
    token.write_text(good)
    hosted_service.send(signal.SIGHUP)
    hosted_service.wait(
        lambda: hosted_service.get("/readyz")[0] == 200, "the service to be ready again"
    )


def test_what_happened_while_it_was_away(hosted, hosted_service):
    """A lost webhook leaves nothing wrong: on its start a service looks at everything."""
    hosted_service.stop()
    pull = hosted.open({PATH: CHANGED})
    hosted.publish(CHANGED.replace("changed", "pushed"))
    hosted_service.start()
    hosted_service.wait(lambda: hosted.read_motd() == "pushed\n", "the push to be applied")
    hosted_service.wait(lambda: hosted.list_comments(pull), "the review")

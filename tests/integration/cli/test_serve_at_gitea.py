"""`provisioning serve` at a real Gitea: its webhooks, its statuses, and its pull requests."""

import pytest
from pull_requests import make_file

pytestmark = [pytest.mark.peer("gitea"), pytest.mark.xdist_group("gitea-serve")]

CHANGED = make_file("motd", "changed\n")
PATH = "infra/web/example.yaml"


def test_a_push_arrives_by_webhook_and_its_commit_tells(hosted, hosted_service):
    """The change is applied, and its commit has a status with a link to the run."""
    commit = hosted.publish(CHANGED)
    hosted_service.wait(lambda: hosted.read_motd() == "changed\n", "the push to be applied")
    path = f"/commits/{commit}/statuses"
    found = hosted_service.wait(lambda: hosted.call("ops", "GET", path), "the status")
    (status,) = (each for each in found if each["context"] == "provisioning-run/web")
    assert status["status"] == "success"
    assert "1 updated" in status["description"]
    assert status["target_url"].endswith("/src/branch/provisioning/web/run.json")


def test_a_pull_request_is_reviewed_answered_and_applied(hosted, hosted_service):
    """Nobody runs a command: opened, asked, merged, and it is so."""
    pull = hosted.open({PATH: CHANGED})
    hosted_service.wait(lambda: hosted.list_comments(pull), "the review")
    assert "File/motd" in hosted.list_comments(pull)[0]
    hosted.say(pull, "ben", "/provisioning help")
    hosted_service.wait(lambda: hosted.list_answers(pull), "the answer")
    hosted_service.wait(
        lambda: hosted.get_statuses(pull).get("provisioning") == "success", "the status"
    )
    hosted.merge(pull)
    hosted_service.wait(lambda: hosted.read_motd() == "changed\n", "the merge to be applied")
    hosted_service.wait(lambda: "run" in hosted.get_comment(pull), "the comment to tell of the run")

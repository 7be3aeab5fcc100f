"""`provisioning serve` at a real Gitea: its webhooks, its statuses, and its pull requests."""

import signal

import pytest
from running_service import RunningService

pytestmark = [pytest.mark.peer("gitea"), pytest.mark.xdist_group("gitea-serve")]

CHANGED = """\
apiVersion: provisioning/v1
kind: File
metadata: {name: motd}
spec: {path: motd, content: "changed\\n"}
"""
PATH = "infra/web/example.yaml"


@pytest.fixture
def service(hosted):
    """A service that hears of everything by webhooks: it polls once an hour."""
    flags = ["serve.poll=3600"]
    running = RunningService([hosted.shop.folder], hosted.shop.home, hosted.shop.environment, flags)
    try:
        running.start()
        hook = f"{running.url}/hooks/{hosted.shop.folder.name}"
        hosted.run("forge", "setup", "--yes", "--webhook", hook)
        yield running
    finally:
        assert running.stop() == 0


def read(hosted):
    return (hosted.shop.folder / "live/motd").read_text()


def publish(hosted, text):
    hosted.shop.commit(text)
    hosted.shop.git("push", "--quiet", hosted.url, "HEAD:main")
    return hosted.shop.git("rev-parse", "HEAD").strip()


def test_a_push_arrives_by_webhook_and_its_commit_tells(hosted, service):
    """The change is applied, and its commit has a status with a link to the run."""
    commit = publish(hosted, CHANGED)
    service.wait(lambda: read(hosted) == "changed\n", "the push to be applied")
    path = f"/commits/{commit}/statuses"
    found = service.wait(lambda: hosted.call("ops", "GET", path), "the status")
    (status,) = (each for each in found if each["context"] == "provisioning-run/web")
    assert status["status"] == "success"
    assert "1 updated" in status["description"]
    assert status["target_url"].endswith("/src/branch/provisioning/web/run.json")


def test_a_failure_is_told_where_the_commit_is(hosted, service):
    """What cannot be read is a failed status, and the next good commit a good one."""
    commit = publish(hosted, "kind: [nonsense\n")
    path = f"/commits/{commit}/statuses"
    found = service.wait(lambda: hosted.call("ops", "GET", path), "the status")
    assert [each["status"] for each in found] == ["failure"]
    assert PATH in found[0]["description"]


def test_a_pull_request_is_reviewed_answered_and_applied(hosted, service):
    """Nobody runs a command: opened, asked, merged, and it is so."""
    pull = hosted.open({PATH: CHANGED})
    service.wait(lambda: hosted.list_comments(pull), "the review")
    assert "File/motd" in hosted.list_comments(pull)[0]
    hosted.say(pull, "ben", "/provisioning help")
    service.wait(lambda: hosted.list_answers(pull), "the answer")
    service.wait(lambda: hosted.get_statuses(pull).get("provisioning") == "success", "the status")
    hosted.merge(pull)
    service.wait(lambda: read(hosted) == "changed\n", "the merge to be applied")
    service.wait(lambda: "run" in hosted.get_comment(pull), "the comment to tell of the run")


def test_a_token_that_is_not_taken_any_more(hosted, service):
    """It is told, and where; a new one counts from the next look on."""
    token = hosted.shop.home / "gitea-token"
    good = token.read_text()
    token.write_text("0" * 40 + "\n")
    service.send(signal.SIGHUP)
    service.wait(lambda: service.get("/readyz")[0] == 503, "the trouble to be told")
    assert "the token is invalid" in service.get("/readyz")[1]
    assert "0" * 40 not in service.log.read_text()
    token.write_text(good)
    service.send(signal.SIGHUP)
    service.wait(lambda: service.get("/readyz")[0] == 200, "the service to be ready again")


def test_what_happened_while_it_was_away(hosted, service):
    """A lost webhook leaves nothing wrong: on its start a service looks at everything."""
    service.stop()
    pull = hosted.open({PATH: CHANGED})
    publish(hosted, CHANGED.replace("changed", "pushed"))
    service.start()
    service.wait(lambda: read(hosted) == "pushed\n", "the push to be applied")
    service.wait(lambda: hosted.list_comments(pull), "the review")

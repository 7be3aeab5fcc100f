"""`undo --pr`, on a real Gitea: the run is undone by a merge."""

import json

import pytest

pytestmark = [pytest.mark.peer("gitea"), pytest.mark.xdist_group("gitea-drift")]

EXAMPLE = "infra/web/example.yaml"


@pytest.fixture
def changed(hosted):
    """The workspace, and its second run, which closed the shop."""
    text = (hosted.shop.folder / EXAMPLE).read_text(encoding="utf-8")
    hosted.push("main", {EXAMPLE: text.replace("hello", "closed")})
    hosted.run("reconcile")
    return hosted


def list_open(hosted):
    return hosted.call("ops", "GET", "/pulls?state=open")


def test_a_run_is_undone_by_a_merge(changed):
    """The branch stays as it is until then; asked twice, there is one pull request."""
    before = changed.shop.git("ls-remote", changed.url, "refs/heads/main")
    told = changed.run("undo", "2", "--pr", "--yes")
    (pull,) = list_open(changed)
    assert pull["html_url"] in told
    assert pull["title"].startswith("Undo run 2 of web: ")
    assert pull["base"]["ref"] == "main"
    assert changed.shop.git("ls-remote", changed.url, "refs/heads/main") == before
    again = json.loads(changed.run("undo", "2", "--pr", "--yes", "-o", "json"))
    assert again["url"] == pull["html_url"]
    assert len(list_open(changed)) == 1
    changed.run("review")
    changed.merge(pull["number"])
    changed.run("reconcile")
    assert changed.shop.live()["motd"] == "hello\n"


def test_nothing_is_opened_without_a_yes(changed):
    """Without a terminal nobody can say it."""
    told = changed.run("undo", "2", "--pr", expected=1)
    assert "Plan: 1 to update" in told
    assert list_open(changed) == []


def test_without_a_forge_there_are_no_pull_requests(shop):
    """The error says which settings are missing."""
    value = "apiVersion: provisioning/v1\nkind: Value\nmetadata: {name: v}\nspec: {input: 1}\n"
    shop.commit(value)
    shop.run("apply", "--yes")
    shop.commit(value.replace("1}", "2}"))
    shop.run("apply", "--yes")
    assert "forge.kind is not set" in shop.run("undo", "2", "--pr", "--yes", expected=1)

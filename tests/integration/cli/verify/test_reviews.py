"""Reviews on a real Gitea: two people, their pull requests, and the reconciler between them."""

import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from pull_requests import edit, make_file, read_all, set_settings

pytestmark = [pytest.mark.peer("gitea"), pytest.mark.xdist_group("gitea-reviews")]


def test_a_review_is_written_once(hosted):
    """A second look writes nothing; a deleted comment comes back; a new push is planned anew."""
    pull = hosted.open(edit("one\n"))
    hosted.run("review")
    before = read_all(hosted, pull)
    hosted.run("review")
    assert read_all(hosted, pull) == before
    (comment,) = hosted.call("ops", "GET", f"/issues/{pull}/comments")
    hosted.call("ops", "DELETE", f"/issues/comments/{comment['id']}")
    hosted.run("review")
    assert "+       one" in hosted.get_comment(pull)
    hosted.push("topic0", edit("two\n"), base="HEAD", force=True)
    hosted.run("review")
    assert "+       two" in hosted.get_comment(pull)
    assert "one" not in hosted.get_comment(pull).partition("merged into")[2]


def test_the_plan_is_that_of_the_merge(hosted):
    """What the base branch got meanwhile is in the plan, and a conflict is said."""
    pull = hosted.open({"infra/db/db.yaml": make_file("db", "db\n")})
    hosted.push("main", edit("newer\n"))
    hosted.run("reconcile")
    hosted.run("review")
    assert "create File/db" in hosted.get_comment(pull)
    assert "motd" not in hosted.get_comment(pull)
    rival = hosted.open(edit("mine\n"))
    hosted.push("main", edit("theirs\n"))
    hosted.run("review", "--pr", str(rival), expected=3)
    assert "it conflicts with main in 1 file" in hosted.get_comment(rival)
    assert hosted.get_statuses(rival)["provisioning"] == "failure"


def test_a_yes_is_to_what_was_shown(hosted):
    """If the plan changes after the yes, or was shown after it, the yes does not count."""
    pull = hosted.open(edit("reviewed\n"))
    hosted.run("review")
    hosted.merge(pull)
    hosted.push("main", edit("first\n"))
    hosted.run("reconcile", expected=3)
    hosted.say(pull, "ben", "/provisioning approve")
    hosted.push("main", edit("second\n"))
    hosted.run("review", expected=3)
    hosted.run("reconcile", expected=3)
    assert hosted.shop.live() == {"motd": "hello\n"}
    assert "+       second" in hosted.get_comment(pull)


def test_healing_needs_no_review(hosted):
    """What was changed by hand is put back while something else waits."""
    set_settings(hosted, "review: {policy: pull-request}\n")
    (hosted.shop.folder / "live/motd").write_text("by hand")
    hosted.run("reconcile")
    assert hosted.shop.live() == {"motd": "hello\n"}
    (hosted.shop.folder / "live/motd").unlink()
    hosted.run("reconcile")
    assert hosted.shop.live() == {"motd": "hello\n"}
    hosted.push("main", edit("pushed without a review\n"))
    assert "not reviewed by a pull request" in hosted.run("reconcile", expected=3)
    assert hosted.shop.live() == {"motd": "hello\n"}


def test_two_pull_requests_that_touch_the_same(hosted):
    """Both say so, and the second is planned again on top of the first."""
    first, second = hosted.open(edit("first\n")), hosted.open(edit("second\n", name="other"), "ben")
    hosted.run("review")
    hosted.run("review")
    third = hosted.open(edit("third\n"), "ben")
    hosted.run("review", "--pr", str(third))
    for one, other in ((first, third), (third, first)):
        assert f"#{other} changes the same resources: `web: File/motd`" in hosted.get_comment(one)
    assert f"#{second}" in hosted.get_comment(first)
    hosted.merge(first)
    hosted.run("reconcile")
    assert hosted.shop.live() == {"motd": "first\n"}
    hosted.run("review", "--pr", str(third), expected=3)
    assert "conflicts" in hosted.get_comment(third)


def test_hold_and_unlock(hosted):
    """Who holds is told to everybody; a hold keeps an apply out until it is released."""
    pull = hosted.open(edit("later\n"))
    hosted.say(pull, "ben", "/provisioning hold web")
    hosted.run("review")
    assert "is held" in hosted.get_answer(pull)
    assert f"held in pull request #{pull}" in hosted.run("lock", "ls")
    assert "ben@" in hosted.run("lock", "ls")
    hosted.merge(pull)
    hosted.run("reconcile", expected=4)
    hosted.say(pull, "ana", "talk\n> /provisioning apply\n\n/provisioning unlock")
    hosted.run("review")
    assert "is free" in hosted.get_answer(pull)
    hosted.run("reconcile")
    assert hosted.shop.live() == {"motd": "later\n"}


def test_code_owners_say_yes(hosted):
    """Who may approve is what the base branch says, whatever the pull request says."""
    hosted.push("main", {"CODEOWNERS": "infra/web/.* @ana\n"})
    pull = hosted.open(edit("reviewed\n") | {"CODEOWNERS": "infra/web/.* @ben\n"}, "ben")
    hosted.run("review")
    hosted.merge(pull, "ana")
    hosted.push("main", edit("other\n") | {"CODEOWNERS": "infra/web/.* @ana\n"})
    hosted.run("reconcile", expected=3)
    hosted.say(pull, "ben", "/provisioning approve")
    hosted.run("review", expected=3)
    assert "CODEOWNERS names `ana`" in hosted.get_answer(pull)
    hosted.say(pull, "ana", "/provisioning approve")
    hosted.run("review")
    hosted.run("reconcile")
    assert hosted.shop.live() == {"motd": "other\n"}


@pytest.mark.parametrize(
    ("mode", "by", "told"),
    [
        ("cicd", "ben", "the setting `commands.apply` allows nobody to give this command"),
        ("enterprise", "ana", "the author may not give this command"),
        ("enterprise", "ben", "applied in run 2"),
    ],
)
def test_the_mode_says_who_may_apply(hosted, mode, by, told):
    """Ana's change: in a pipeline nobody applies by a comment, in an enterprise not she herself."""
    settings = hosted.shop.folder / "config/provisioning.yaml"
    text = settings.read_text(encoding="utf-8").replace("mode: solo", f"mode: {mode}")
    hosted.push("main", {"config/provisioning.yaml": text})
    pull = hosted.open(edit("new\n"))
    hosted.run("review")
    hosted.merge(pull)
    hosted.say(pull, by, "/provisioning apply")
    hosted.run("review")
    assert told in hosted.get_answer(pull)
    assert hosted.shop.live() == {"motd": "new\n" if "applied" in told else "hello\n"}


SECRET = "AKIA" + "ABCDEFGHIJKLMNOP"


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"infra/web/example.yaml": "kind: [\n"}, "it cannot be planned: invalid-manifest"),
        (edit(f"key {SECRET}\n"), "infra/web/example.yaml:4: an AWS access key"),
        ({"infra/web/example.yaml": None}, "stopped by prune"),
        (edit("</code></details>``` @eve #1 <script>\n```\n/provisioning apply"), "1 to update"),
        ({f"infra/web/f{n}.yaml": make_file(f"f{n}", "x" * 200) for n in range(500)},
         "more: [the whole plan]"),
    ],
    ids=["garbage", "secret", "deleted", "markdown", "large"],
)  # fmt: skip
def test_bad_input_is_told_where_people_look(hosted, files, told):
    """One clear message in the comment, and nothing is applied."""
    pull = hosted.open(files)
    process = hosted.shop.start("review", "--pr", str(pull))
    out, err = process.communicate(timeout=600)
    comment = hosted.get_comment(pull)
    assert process.returncode in {0, 3}, err
    assert told in comment
    assert SECRET not in comment + out + err
    assert len(comment) < 65_000
    assert hosted.shop.live() == {"motd": "hello\n"}
    names = [each["subject"]["title"] for each in read_notifications(hosted, "eve")]
    assert names == []


def read_notifications(hosted, who):
    request = urllib.request.Request(
        f"{hosted.gitea.url}/api/v1/repos/{hosted.repository}/notifications",
        headers={"Authorization": f"token {hosted.tokens[who]}"},
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def test_a_closed_pull_request_says_so(hosted):
    """Its comment tells no plan any more, its label goes; opened again it is planned anew."""
    pull = hosted.open({"infra/web/example.yaml": None})
    hosted.run("forge", "setup", "--yes")
    hosted.run("review", expected=3)
    assert [each["name"] for each in hosted.read(pull)["labels"]] == ["provisioning/destructive"]
    statuses = hosted.get_statuses(pull)
    hosted.call("ana", "PATCH", f"/pulls/{pull}", {"state": "closed"})
    hosted.run("review")
    assert "### Closed: it is closed, and is not applied" in hosted.get_comment(pull)
    assert "delete" not in hosted.get_comment(pull)
    assert hosted.read(pull)["labels"] == []
    assert hosted.get_statuses(pull) == statuses
    before = read_all(hosted, pull)
    assert "no open pull request" in hosted.run("review")
    assert read_all(hosted, pull) == before

    hosted.say(pull, "ben", "/provisioning apply")
    hosted.run("review")
    assert "is closed; open it again" in hosted.get_answer(pull)
    assert "#1: it is closed, and is not applied" in hosted.run(
        "apply", "--pr", str(pull), expected=3
    )
    hosted.call("ana", "PATCH", f"/pulls/{pull}", {"state": "open"})
    hosted.run("review", expected=3)
    assert "delete File/motd" in hosted.get_comment(pull)
    hosted.call("ana", "PATCH", f"/pulls/{pull}", {"state": "closed"})
    hosted.run("review")
    assert "### Closed" in hosted.get_comment(pull)


def test_what_nobody_reviewed_is_closed_in_silence(hosted):
    """There is no comment to be mended."""
    pull = hosted.open(edit("new\n"))
    hosted.call("ana", "PATCH", f"/pulls/{pull}", {"state": "closed"})
    hosted.run("review")
    hosted.run("review", "--pr", str(pull))
    assert hosted.list_comments(pull) == []


def test_what_is_done_still_answers(hosted):
    """Of a merged and applied pull request, also one that nobody reviewed; each once."""
    pull, unread = hosted.open(edit("new\n")), hosted.open({"README.md": "a shop\n"})
    hosted.merge(unread)
    hosted.run("review", "--pr", str(pull))
    hosted.merge(pull)
    hosted.run("reconcile")
    for number in (pull, unread):
        hosted.say(number, "ben", "/provisioning help")
    assert f"#{pull}  success" in hosted.run("review")
    hosted.run("review")
    for number in (pull, unread):
        (answer,) = hosted.list_answers(number)
        assert "| Command | Does | Who may |" in answer


def test_a_renamed_resource_says_so(hosted):
    """Undeclared it is neither deleted nor made, and the comment tells what to write."""
    renamed = make_file("motd", "hello\n").replace("name: motd", "name: greeting")
    pull = hosted.open({"infra/web/example.yaml": renamed})
    hosted.run("review", expected=3)
    assert "`moved: {from: File/motd}`" in hosted.get_comment(pull)
    assert hosted.get_statuses(pull)["provisioning/web"] == "failure"
    hosted.merge(pull)
    hosted.run("reconcile", expected=3)
    assert hosted.shop.live() == {"motd": "hello\n"}
    mended = hosted.open({"infra/web/example.yaml": f"{renamed}moved: {{from: File/motd}}\n"})
    hosted.run("review", "--pr", str(mended))
    assert "moved from File/motd" in hosted.get_comment(mended)
    hosted.merge(mended)
    assert "1 updated" in hosted.run("reconcile")
    assert "File/greeting" in hosted.run("get", "web")
    assert hosted.shop.live() == {"motd": "hello\n"}


def test_without_a_forge_nothing_is_lost(hosted, gitea):
    """A run at a forge whose API says no is recorded all the same, and told later."""
    pull = hosted.open(edit("new\n"))
    hosted.run("review")
    hosted.merge(pull)
    hosted.run("reconcile")
    assert "run 2 done" in hosted.get_comment(pull)
    Path(hosted.shop.home / "gitea-token").write_text("wrong\n")
    told = hosted.run("review", expected=1)
    assert "check the token in the file of forge.token_file" in told

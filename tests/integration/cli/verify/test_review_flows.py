"""Reviews on a real Gitea, in short: what was read is what is applied; `verify` has the rest."""

import pytest
from pull_requests import edit, make_file, set_settings

pytestmark = [pytest.mark.peer("gitea"), pytest.mark.xdist_group("gitea-reviews")]


def test_what_was_read_is_what_is_applied(hosted):
    """From the pull request to the applied run, and what is shown on the way."""
    pull = hosted.open(edit("hello world\n"))
    hosted.run("review", "--pr", str(pull))
    assert "1 infra ready" in hosted.get_comment(pull)
    assert "+       hello world" in hosted.get_comment(pull)
    assert hosted.get_statuses(pull) == {"provisioning": "success", "provisioning/web": "success"}
    assert hosted.shop.live() == {"motd": "hello\n"}
    hosted.merge(pull)
    hosted.run("reconcile")
    assert hosted.shop.live() == {"motd": "hello world\n"}
    assert "run 2 done: 1 updated" in hosted.get_comment(pull)
    merged = hosted.list_statuses(hosted.read(pull)["merge_commit_sha"])
    assert merged == {"provisioning": "success", "provisioning/web": "success"}


def test_what_nobody_read_waits_for_a_yes(hosted):
    """Effects that differ from the reviewed ones are shown, and applied after an approval alone."""
    pull = hosted.open(edit("reviewed\n"))
    hosted.run("review")
    hosted.merge(pull)
    hosted.push("main", edit("sneaked in\n"))
    assert "not as reviewed in" in hosted.run("reconcile", expected=3)
    assert hosted.shop.live() == {"motd": "hello\n"}
    comment = hosted.get_comment(pull)
    assert "waits for an approval" in comment
    assert "+       sneaked in" in comment
    assert "provisioning/waiting" not in comment
    merged = hosted.read(pull)["merge_commit_sha"]
    assert hosted.list_statuses(merged)["provisioning/web"] == "pending"

    hosted.say(pull, "eve", "/provisioning approve")
    hosted.run("review", "--pr", str(pull), expected=3)
    assert "needs write permission" in hosted.get_answer(pull)
    hosted.run("reconcile", expected=3)
    hosted.say(pull, "ben", "/provisioning approve web")
    hosted.run("review", "--pr", str(pull))
    assert "may be applied" in hosted.get_answer(pull)
    hosted.run("reconcile")
    assert hosted.shop.live() == {"motd": "sneaked in\n"}
    assert hosted.list_statuses(merged)["provisioning/web"] == "success"


def test_a_fork_gets_a_static_plan(hosted, gitea):
    """Nothing of an untrusted author is filled in, asked or run; one commit can be let in."""
    hosted.call("eve", "POST", "/forks", {})
    fork = f"eve/{hosted.repository.partition('/')[2]}"
    text = make_file("motd", "{{env.HOME}} {{secrets.app.key}}\n")
    hosted.shop.write(text)
    hosted.shop.git("commit", "--quiet", "--all", "-m", "mine")
    hosted.shop.git("push", "--quiet", gitea.get_git_url(fork), "HEAD:topic")
    body = {"head": "eve:topic", "base": "main", "title": "Mine"}
    pull = hosted.call("eve", "POST", "/pulls", body)["number"]
    hosted.run("review")
    comment = hosted.get_comment(pull)
    assert "only the manifests were compared" in comment
    assert "{{env.HOME}}" in comment
    assert str(hosted.shop.home) not in comment

    hosted.say(pull, "eve", "/provisioning plan")
    hosted.run("review")
    assert "needs write permission" in hosted.get_answer(pull)
    hosted.say(pull, "ben", "/provisioning plan")
    hosted.run("review", expected=3)
    assert "is planned in full" in hosted.get_answer(pull)
    assert "only the manifests" not in hosted.get_comment(pull)
    hosted.shop.commit(make_file("motd", "{{env.HOME}} other\n"))
    hosted.shop.git("push", "--quiet", gitea.get_git_url(fork), "HEAD:topic")
    hosted.run("review")
    assert "only the manifests were compared" in hosted.get_comment(pull)
    assert str(hosted.shop.home) not in hosted.get_comment(pull)


def test_apply_before_merge(hosted):
    """The reconciler applies what was shown, and merges; what fails stays open."""
    set_settings(hosted, "review: {policy: pull-request, apply: before-merge}\n")
    pull = hosted.open(edit("early\n"))
    hosted.run("apply", "--pr", str(pull), expected=3)
    hosted.run("review")
    assert "has not been approved" in hosted.run("apply", "--pr", str(pull), expected=3)
    review = {"event": "APPROVED", "commit_id": hosted.read(pull)["head"]["sha"]}
    hosted.call("ben", "POST", f"/pulls/{pull}/reviews", review)
    hosted.say(pull, "ben", "/provisioning apply")
    hosted.run("review")
    assert "applied in run 2" in hosted.get_answer(pull)
    assert hosted.shop.live() == {"motd": "early\n"}
    assert hosted.read(pull)["merged"]
    assert "run 2 done" in hosted.get_comment(pull)
    assert "Nothing to do" in hosted.run("reconcile")
    hosted.push("main", edit("late\n"))
    assert "not reviewed by a pull request" in hosted.run("reconcile", expected=3)


def test_a_renamed_infra_takes_nothing_with_it(hosted):
    """It is told at once, by name; merged all the same, nothing is destroyed, made or hidden."""
    pull = hosted.open({"infra/web/example.yaml": None, "infra/shop/a.yaml": make_file("motd", "")})
    hosted.run("review", expected=3)
    comment = hosted.get_comment(pull)
    assert "**`web` is renamed to `shop`; its resources are not.**" in comment
    assert "what stands in its place is File/motd of the infra web" in comment
    assert "stopped by prune" in comment
    assert hosted.get_statuses(pull)["provisioning"] == "failure"
    hosted.merge(pull)
    told = hosted.run("reconcile", expected=3)
    assert "leave it to web, or let it go there first" in told
    assert hosted.shop.live() == {"motd": "hello\n"}
    assert "File/motd" in hosted.run("get", "web")
    after = hosted.get_comment(pull)
    assert "not ready: shop, web" in after

    back = hosted.open({"infra/shop/a.yaml": None} | edit("hello\n"))
    hosted.run("review", "--pr", str(back))
    hosted.merge(back)
    assert "Nothing to do: 1 unchanged" in hosted.run("reconcile")
    assert hosted.shop.live() == {"motd": "hello\n"}


def test_a_comment_is_a_closed_grammar(hosted, tmp_path):
    """Shell, floods and slips are answered, once, and run nothing."""
    pull = hosted.open(edit("new\n"))
    hosted.say(pull, "ana", "/provisioning apply $(touch /tmp/x); rm -rf /")
    hosted.say(pull, "ana", "/provisioning plan\n" * 1000)
    hosted.say(pull, "ana", "/provisioning aply")
    hosted.say(pull, "ana", "/provisioning plan nowhere")
    hosted.run("review")
    hosted.run("review")
    answers = hosted.list_answers(pull)
    assert len(answers) == 4
    assert "takes the name of one infra" in answers[0]
    assert "may have 5 commands, not 1000" in answers[1]
    assert "did you mean `/provisioning apply`?" in answers[2]
    assert "does not touch that infra" in answers[3]
    assert hosted.shop.live() == {"motd": "hello\n"}

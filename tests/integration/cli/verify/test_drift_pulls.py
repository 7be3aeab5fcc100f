"""Pull requests about drift, on a real Gitea: opened, rewritten, accepted, put back, closed."""

import json

import pytest

pytestmark = [pytest.mark.peer("gitea"), pytest.mark.xdist_group("gitea-drift")]

GONE = "<!-- provisioning:drift -->"

FILE = """\
apiVersion: provisioning/v1
kind: File
metadata: {name: motd}
spec:
  path: motd
  content: "hello\\n"   # what everybody reads
lifecycle: {drift: pr}
"""
EXAMPLE = "infra/web/example.yaml"
BRANCH = "provisioning-drift/web/File-motd"


@pytest.fixture
def watched(hosted):
    """The workspace, its file with `drift: pr`, and applied."""
    hosted.push("main", {EXAMPLE: FILE})
    hosted.run("reconcile")
    return hosted


def drift(hosted, text="by hand\n", name="motd"):
    (hosted.shop.folder / "live" / name).write_text(text)


def list_open(hosted):
    return hosted.call("ops", "GET", "/pulls?state=open")


def read_everything(hosted):
    """Read what can be written: refs, pull requests, comments with their times, statuses."""
    pulls = hosted.call("ops", "GET", "/pulls?state=all")
    texts = [(it["title"], it["body"], it["state"]) for it in pulls]
    comments = [hosted.call("ops", "GET", f"/issues/{it['number']}/comments") for it in pulls]
    statuses = [hosted.call("ops", "GET", f"/commits/{it['head']['sha']}/statuses") for it in pulls]
    return hosted.shop.git("ls-remote", hosted.url), texts, comments, statuses


def read_manifest(hosted, branch):
    hosted.shop.git("fetch", "--quiet", hosted.url, branch)
    return hosted.shop.git("show", f"FETCH_HEAD:{EXAMPLE}")


def has_branch(hosted):
    return BRANCH in hosted.shop.git("ls-remote", hosted.url)


def test_a_drift_is_accepted_by_a_merge(watched):
    """One pull request a drift, written once, rewritten as it changes, and gone when merged."""
    drift(watched)
    told = watched.run("reconcile")
    assert "has drifted, and is left so" in told
    assert watched.shop.live() == {"motd": "by hand\n"}
    (pull,) = list_open(watched)
    assert pull["title"] == "Drift: web File/motd"
    assert pull["head"]["ref"] == BRANCH
    assert "-       hello\n+       by hand" in pull["body"]
    assert "By whom: unknown" in pull["body"]
    assert read_manifest(watched, BRANCH) == FILE.replace("hello", "by hand")

    watched.run("review")
    before = read_everything(watched)
    assert "The merge accepts the drift" in watched.get_comment(pull["number"])
    assert "1 infra ready" in watched.get_comment(pull["number"])
    for command in ("reconcile", "review"):
        watched.run(command)
    assert read_everything(watched) == before

    (since,) = [line for line in pull["body"].splitlines() if "Seen since" in line]
    drift(watched, "by another hand\n")
    watched.run("review")
    (again,) = list_open(watched)
    assert again["number"] == pull["number"]
    assert "+       by another hand" in again["body"]
    assert since in again["body"]
    assert read_manifest(watched, BRANCH) == FILE.replace("hello", "by another hand")

    watched.merge(pull["number"])
    assert "1 adopted" in watched.run("reconcile")
    assert "Nothing to do: 1 unchanged" in watched.run("reconcile")
    watched.run("review")
    assert watched.shop.live() == {"motd": "by another hand\n"}
    assert list_open(watched) == []
    assert not has_branch(watched)

    drift(watched, "by a third hand\n")
    assert "has drifted, and is left so" in watched.run("reconcile")
    (third,) = list_open(watched)
    assert "-       by another hand\n+       by a third hand" in third["body"]


@pytest.mark.parametrize("policy", ["after-merge", "before-merge"])
def test_a_drift_is_put_back_by_a_comment(watched, policy):
    """Who may write says so; only the resource is applied, and what is closed tells why."""
    settings = "config/provisioning.yaml"
    text = (watched.shop.folder / settings).read_text(encoding="utf-8")
    more = f"review: {{policy: pull-request, apply: {policy}}}\n"
    watched.push("main", {settings: text + more, "infra/web/b.yaml": FILE.replace("motd", "b")})
    watched.run("reconcile", "--allow", "unreviewed")
    drift(watched)
    drift(watched, "too\n", "b")
    watched.run("review")
    pulls = {each["title"]: each["number"] for each in list_open(watched)}
    assert pulls.keys() == {"Drift: web File/motd", "Drift: web File/b"}
    pull = pulls["Drift: web File/motd"]
    watched.say(pull, "eve", "/provisioning apply")
    watched.run("review")
    assert "needs write permission" in watched.get_answer(pull)
    watched.say(pull, "ben", "/provisioning apply")
    watched.run("review")
    assert "applied in run 4" in watched.get_answer(pull)
    assert watched.shop.live() == {"motd": "hello\n", "b": "too\n"}
    (goodbye,) = watched.list_comments(pull, GONE)
    assert "The drift of" in goodbye
    assert [each["title"] for each in list_open(watched)] == ["Drift: web File/b"]
    assert not has_branch(watched)
    told = watched.run("apply", "--pr", str(pulls["Drift: web File/b"]), "-o", "json")
    assert json.loads(told)[0]["result"] == "applied"
    assert watched.shop.live() == {"motd": "hello\n", "b": "hello\n"}
    assert list_open(watched) == []


def test_a_drift_that_goes_away_closes_its_pull_request(watched):
    """What cannot be edited is told, what is gone is told, and nothing is left behind."""
    (watched.shop.folder / "live/motd").unlink()
    watched.run("reconcile")
    (pull,) = list_open(watched)
    assert "it is gone" in pull["body"]
    assert "The commit here is empty" in pull["body"]
    assert read_manifest(watched, BRANCH) == FILE
    watched.run("review")
    before = read_everything(watched)
    watched.run("review")
    assert read_everything(watched) == before
    watched.push("main", {EXAMPLE: FILE.replace("drift: pr", "drift: correct")})
    watched.run("reconcile", "--allow", "unreviewed")
    assert watched.shop.live() == {"motd": "hello\n"}
    assert watched.read(pull["number"])["state"] == "closed"
    (goodbye,) = watched.list_comments(pull["number"], GONE)
    assert "no longer has `File/motd` of `web` with `drift: pr`" in goodbye
    assert not has_branch(watched)

"""`provisioning forge setup` and `forge check`, end to end: the real program and a real Gitea."""

import json
import os
import pty
import subprocess
import sys
from urllib.parse import quote

import pytest

from provisioning.forges.gitea.globs import matches

pytestmark = [pytest.mark.peer("gitea"), pytest.mark.xdist_group("gitea")]

PROGRAM = (sys.executable, "-m", "provisioning")
HOOK = "http://127.0.0.1:9/hook"
SCOPES = "read:user,write:repository,write:issue"
APPLY = ("apply", "--yes", "--allow", "unreviewed")


@pytest.fixture
def bot(gitea):
    """The reconciler's user, the same in all tests."""
    if gitea.call("GET", "/users/bot")[0] == 404:
        gitea.create_user("bot")
        gitea.create_user("mallory")
    return "bot"


@pytest.fixture
def hosted(shop, gitea, bot):
    """A workspace at Gitea, whose reconciler is an administrator of the repository."""
    shop.repository = gitea.create_repository(auto_init=False)
    give(gitea, shop, bot, "admin")
    use_token(shop, gitea.create_token(bot, SCOPES))
    settings = shop.folder / "config/provisioning.yaml"
    more = f"""
lock: {{backend: gitea}}
review: {{policy: pull-request}}
forge:
  kind: gitea
  url: {gitea.url}
  repository: {shop.repository}
  token_file: gitea-token
"""
    settings.write_text(settings.read_text(encoding="utf-8") + more)
    shop.commit()
    shop.git("push", "--quiet", gitea.get_git_url(shop.repository), "main")
    gitea.wait_for_push(shop.repository)
    return shop


@pytest.fixture
def stranger(gitea):
    """Somebody who may read the repository, and no more."""
    if gitea.call("GET", "/users/stranger")[0] == 404:
        gitea.create_user("stranger")
    return "stranger"


def give(gitea, shop, user, permission):
    path = f"/repos/{shop.repository}/collaborators/{user}"
    assert gitea.call("PUT", path, {"permission": permission})[0] == 204


def use_token(shop, token):
    file = shop.home / "gitea-token"
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"{token}\n")
    file.chmod(0o600)


def read_findings(shop, *arguments, expected=3, **more):
    told = shop.run("forge", "check", "-o", "json", *arguments, expected=expected, **more)
    return {each["subject"]: each for each in json.loads(told)}


def read_rule(gitea, shop, pattern="main"):
    _, rules = gitea.call("GET", f"/repos/{shop.repository}/branch_protections")
    return next((each for each in rules if each["rule_name"] == pattern), None)


def read_main(gitea, shop):
    return gitea.call("GET", f"/repos/{shop.repository}/branches/main")[1]["commit"]["id"]


def protect(gitea, shop, **rule):
    status, told = gitea.call("POST", f"/repos/{shop.repository}/branch_protections", rule)
    assert status == 201, told


def try_push(shop, gitea, user, branch, *options):
    url = gitea.get_git_url(shop.repository).replace("ops:", f"{user}:")
    done = subprocess.run(
        ["git", "push", "--quiet", *options, url, f"HEAD:refs/heads/{branch}"],
        cwd=shop.folder,
        env=shop.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr


def test_setup_does_what_check_misses_and_then_nothing(hosted, gitea):
    """Each step is shown, done once, and left alone from then on."""
    before = read_findings(hosted, "--webhook", HOOK)
    missing = {name for name, each in before.items() if each["standing"] == "missing"}
    assert missing == {
        "label provisioning/waiting",
        "label provisioning/destructive",
        "protection of main",
        "protection of provisioning/**",
        "protection of provisioning-reviews/**",
        f"webhook {HOOK}",
    }
    told = hosted.run("forge", "setup", "--yes", "--webhook", HOOK)
    for subject in missing:
        assert f"+ {subject}\n" in told
        assert f"{subject}: created\n" in told
    after = read_findings(hosted, "--webhook", HOOK, expected=0)
    assert {each["standing"] for each in after.values()} == {"ok"}
    assert hosted.run("forge", "setup", "--yes", "--webhook", HOOK) == "nothing to do\n"


def test_setup_asks_first(hosted, gitea):
    """Without a terminal and without --yes nothing is done."""
    told = hosted.run("forge", "setup", expected=1)
    assert "no terminal to ask at" in told
    assert read_rule(gitea, hosted) is None


def test_the_product_works_on_protected_branches_and_nobody_else_does(hosted, gitea):
    """First push, lock by the API, record, hold, steal and release pass; other people do not."""
    give(gitea, hosted, "mallory", "write")
    hosted.run("forge", "setup", "--yes")
    hosted.run(*APPLY)
    hosted.run("lock", "hold", "web", "--reason", "look")
    hosted.run("lock", "steal", "web", "--reason", "mine")
    hosted.run("lock", "release", "web")
    assert "linear, fenced, complete" in hosted.run("fsck")
    file = {"operation": "create", "path": "x", "content": ""}
    body = {"branch": "provisioning/web", "message": "x", "files": [file]}
    mallory = gitea.create_token("mallory")
    path = f"/repos/{hosted.repository}/contents"
    assert gitea.call("POST", path, body, token=mallory)[0] == 403
    for branch in ("provisioning/new", "provisioning-reviews/7", "main"):
        hosted.commit()
        assert "Not allowed to push to protected branch" in try_push(
            hosted, gitea, "mallory", branch
        )
    for user in ("bot", "ops"):
        assert "protected from deletion" in delete(hosted, gitea, user, "provisioning/web")
    assert "force push" in try_push(hosted, gitea, "bot", "provisioning/web", "--force")


def delete(shop, gitea, user, branch):
    url = gitea.get_git_url(shop.repository).replace("ops:", f"{user}:")
    done = subprocess.run(
        ["git", "push", "--quiet", url, f":refs/heads/{branch}"],
        cwd=shop.folder,
        env=shop.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr


def test_a_foreign_rule_that_stops_us_is_gone_before(hosted, gitea):
    """A rule for all branches would keep the state log from being written; ours counts first."""
    protect(gitea, hosted, rule_name="**", enable_push=False, priority=1)
    findings = read_findings(hosted)
    assert (
        "it goes before the protection of **" in findings["protection of provisioning/**"]["told"]
    )
    assert "Not allowed to push" in hosted.run(*APPLY, expected=1)
    hosted.run("forge", "setup", "--yes")
    hosted.run(*APPLY)
    assert read_rule(gitea, hosted, "**")["enable_push"] is False


def test_what_is_stricter_stays(hosted, gitea):
    """More approvals, more checks and own people are not taken away."""
    protect(
        gitea,
        hosted,
        rule_name="main",
        enable_push=True,
        enable_push_whitelist=True,
        push_whitelist_usernames=["ops"],
        enable_status_check=True,
        status_check_contexts=["lint"],
        required_approvals=3,
        block_on_rejected_reviews=True,
    )
    protect(
        gitea,
        hosted,
        rule_name="provisioning/**",
        enable_push=True,
        enable_push_whitelist=True,
        push_whitelist_usernames=["ops"],
        require_signed_commits=True,
    )
    told = hosted.run("forge", "setup", "--yes")
    assert "~ protection of main\n      a merge waits for the status provisioning\n" in told
    rule = read_rule(gitea, hosted)
    assert rule["status_check_contexts"] == ["lint", "provisioning"]
    assert rule["required_approvals"] == 3
    assert rule["push_whitelist_usernames"] == ["ops"]
    assert rule["block_on_rejected_reviews"] is True
    log = read_rule(gitea, hosted, "provisioning/**")
    assert set(log["push_whitelist_usernames"]) == {"bot", "ops"}
    assert log["require_signed_commits"] is False
    hosted.run(*APPLY)


def test_the_webhook_is_one_and_signed_with_the_file(hosted, gitea):
    """The secret is made for its owner alone; a new secret or a wrong hook means a new hook."""
    for _ in range(2):
        made = {"type": "gitea", "config": {"url": HOOK, "content_type": "form"}}
        assert gitea.call("POST", f"/repos/{hosted.repository}/hooks", made)[0] == 201
    told = hosted.run("forge", "setup", "--yes", "--webhook", HOOK)
    assert f"± webhook {HOOK}\n      there are 2 for the same address\n" in told
    (hook,) = gitea.call("GET", f"/repos/{hosted.repository}/hooks")[1]
    file = hosted.home / "webhook-secret"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text().strip() not in told
    assert "pull_request_comment" in hook["events"]
    made = file.stat().st_mtime
    os.utime(file, (made + 90, made + 90))
    told = read_findings(hosted, "--webhook", HOOK)[f"webhook {HOOK}"]["told"]
    assert told.startswith("its secret is not the one in the file")


def test_a_webhook_that_is_no_address_is_refused_by_name(hosted):
    """What was done before it is told; nothing is done twice by the next setup."""
    told = hosted.run("forge", "setup", "--yes", "--webhook", "nowhere", expected=1)
    assert "protection of main: created" in told
    assert "the webhook nowhere cannot be added: Invalid url" in told


@pytest.mark.parametrize(
    ("permission", "told"),
    [("write", "bot may write, but not ask who else may"), ("read", "bot may not write")],
)
def test_missing_rights_are_named(hosted, gitea, permission, told):
    """Nothing is begun that would fail half-way; the hint says where to go."""
    give(gitea, hosted, "bot", permission)
    finding = read_findings(hosted)["rights"]
    assert told in finding["told"]
    assert f"{gitea.url}/{hosted.repository}/settings/collaboration" in finding["hint"]
    shown = hosted.run("forge", "setup", "--yes", expected=3)
    assert ": created" not in shown


def test_missing_scopes_are_named(hosted, gitea):
    """A token that may only read says so, by the names that Gitea's page has."""
    use_token(hosted, gitea.create_token("bot", "read:user,read:repository"))
    finding = read_findings(hosted)["scopes"]
    assert finding["told"] == "the token lacks write:repository, write:issue"
    assert "created" not in hosted.run("forge", "setup", "--yes", expected=3)
    use_token(hosted, gitea.create_token("bot", "write:repository,write:issue"))
    assert read_findings(hosted)["scopes"]["told"] == "the token lacks read:user"


def test_what_is_wrong_with_forge_token_and_repository_is_told(hosted, gitea):
    """Each is one finding with what to do; the token is in none of them."""
    token = (hosted.home / "gitea-token").read_text().strip()
    told = hosted.run("forge", "check", expected=3, PROVISIONING_FORGE__URL="http://127.0.0.1:9")
    assert told.startswith("wrong    forge: http://127.0.0.1:9 does not answer")
    told += hosted.run("forge", "check", expected=3, PROVISIONING_FORGE__REPOSITORY="ops/none")
    assert "wrong    repository: GET" in told
    gitea.call("PATCH", f"/repos/{hosted.repository}", {"archived": True})
    assert "is archived" in read_findings(hosted)["repository"]["told"]
    gitea.call("PATCH", f"/repos/{hosted.repository}", {"archived": False})
    use_token(hosted, "0" * 40)
    told += hosted.run("forge", "check", expected=3)
    assert "wrong    token: " in told
    assert token not in told


def test_an_empty_repository_is_told(hosted, gitea):
    """It can be set up all the same: protections come before the first push."""
    empty = gitea.create_repository(auto_init=False)
    give(gitea, type("Shop", (), {"repository": empty}), "bot", "admin")
    told = hosted.run("forge", "setup", "--yes", expected=3, PROVISIONING_FORGE__REPOSITORY=empty)
    assert "protection of main: created" in told
    assert f"missing  branch: {empty} is empty" in told


def test_apply_before_merge_lets_the_reconciler_merge(hosted, gitea):
    """Merge commits are allowed, and the reconciler is among those who may merge."""
    gitea.call("PATCH", f"/repos/{hosted.repository}", {"allow_merge_commits": False})
    protect(
        gitea,
        hosted,
        rule_name="main",
        enable_merge_whitelist=True,
        merge_whitelist_usernames=["ops"],
    )
    hosted.run("-c", "review.apply=before-merge", "forge", "setup", "--yes")
    _, found = gitea.call("GET", f"/repos/{hosted.repository}")
    assert found["allow_merge_commits"] is True
    assert set(read_rule(gitea, hosted)["merge_whitelist_usernames"]) == {"bot", "ops"}


def test_without_a_policy_main_stays_open(hosted, gitea):
    """Who needs no pull request may push on, and merges wait for the plan."""
    hosted.run("-c", "review.policy=optional", "forge", "setup", "--yes")
    hosted.commit()
    assert "Not allowed" not in try_push(hosted, gitea, "bot", "main")
    assert read_main(gitea, hosted) == hosted.git("rev-parse", "HEAD").strip()
    assert read_rule(gitea, hosted)["required_approvals"] == 0


def test_without_a_forge_there_is_nothing_to_set_up(shop):
    """The settings that are missing are named."""
    assert "forge.kind is not set" in shop.run("forge", "check", expected=1)


@pytest.fixture
def branches(gitea):
    """A repository with a few branches, by whose protection patterns can be tried."""
    repository = gitea.create_repository()
    names = ("main", "dev/x", "provisioning/web", "provisioning-reviews/1", "a/b/c")
    for name in names[1:]:
        body = {"new_branch_name": name}
        assert gitea.call("POST", f"/repos/{repository}/branches", body)[0] == 201
    return repository, names


@pytest.mark.parametrize(
    "pattern",
    ["**", "*", "*/*", "MAIN", "provisioning/**", "prov*/?eb", "{main,dev/[x-z]}", "**/c", "a/*"],
)
def test_patterns_are_read_as_gitea_reads_them(gitea, branches, pattern):
    """Which branches a rule protects is what Gitea itself says of each."""
    repository, names = branches
    rule = {"rule_name": pattern}
    assert gitea.call("POST", f"/repos/{repository}/branch_protections", rule)[0] == 201
    for name in names:
        path = f"/repos/{repository}/branches/{quote(name, safe='')}"
        assert gitea.call("GET", path)[1]["protected"] is matches(pattern, name), name


def test_apply_before_merge_passes_the_protection_of_main(hosted, gitea, stranger):
    """What somebody who may has approved is applied, and merged through the protection."""
    give(gitea, hosted, "mallory", "write")
    hosted.run(*APPLY)
    early = ("-c", "review.apply=before-merge")
    hosted.run(*early, "forge", "setup", "--yes")
    hosted.git("checkout", "--quiet", "-b", "topic")
    example = hosted.folder / "infra/web/example.yaml"
    hosted.commit(example.read_text(encoding="utf-8").replace("Welcome", "Hello"))
    assert "Not allowed" not in try_push(hosted, gitea, "ops", "topic")
    body = {"head": "topic", "base": "main", "title": "x"}
    assert gitea.call("POST", f"/repos/{hosted.repository}/pulls", body)[0] == 201
    hosted.run(*early, "review")
    told = hosted.run(*early, "apply", "--pr", "1", expected=3)
    assert "#1 has not been approved" in told
    path = f"/repos/{hosted.repository}/pulls/1"
    nobody = gitea.create_token(stranger)
    assert gitea.call("POST", f"{path}/reviews", {"event": "APPROVED"}, token=nobody)[0] == 200
    assert told == hosted.run(*early, "apply", "--pr", "1", expected=3)
    mallory = gitea.create_token("mallory")
    assert gitea.call("POST", f"{path}/reviews", {"event": "APPROVED"}, token=mallory)[0] == 200
    hosted.run(*early, "apply", "--pr", "1")
    assert "Hello" in hosted.live()["etc/motd"]
    assert gitea.call("GET", path)[1]["merged"] is True


def test_setup_asks_at_a_terminal(hosted, gitea):
    """What is shown is done after a yes, and not after a no."""
    assert "aborted; nothing was changed" in answer(hosted, "n\n")
    assert read_rule(gitea, hosted) is None
    assert "protection of main: created" in answer(hosted, "y\n")
    assert read_rule(gitea, hosted)["required_approvals"] == 1


def answer(shop, text):
    """Run `forge setup` at a terminal, and answer its question with *text*."""
    here, there = pty.openpty()
    try:
        process = subprocess.Popen(
            [*PROGRAM, "forge", "setup"],
            cwd=shop.folder,
            env=shop.environment,
            stdin=there,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        os.write(here, text.encode())
        return process.communicate(timeout=600)[0]
    finally:
        os.close(here)
        os.close(there)

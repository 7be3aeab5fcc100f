"""P13: a change that nobody trusts opens nothing, at a real Gitea."""

import json
import socket
import time

import pytest
from pull_requests import edit, make_file, set_settings

pytestmark = [pytest.mark.peer("gitea"), pytest.mark.xdist_group("gitea-strangers")]

CANARY = "canary-7d1f-of-the-reconciler"
EACH = """\
apiVersion: provisioning/v1
kind: File
metadata: {name: "f-{{each.key}}"}
forEach: "{{config.values.leak}}"
spec: {path: "{{each.key}}", content: "{{each.value}}"}
"""


def add_settings(hosted, text):
    """Return the settings with *text*, in place of a line that begins alike if there is one."""
    path = "config/provisioning.yaml"
    first = text.partition(":")[0] + ":"
    lines = (hosted.shop.folder / path).read_text().splitlines(keepends=True)
    return {path: "".join(line for line in lines if not line.startswith(first)) + text}


def review(hosted, pull, **environ):
    """Review *pull*; return what was printed and published."""
    process = hosted.shop.start("review", "--pr", str(pull), "-o", "json", **environ)
    out, err = process.communicate(timeout=600)
    return "\n".join([out, err, *hosted.list_published(pull)])


SETTINGS = (
    ("values: {leak: {a: '{{env.CANARY}}'}}\n", EACH),
    ("values: {leak: {'{{env.CANARY}}': x}}\n", EACH),
    ("values: {leak: '{{paths.home}}{{env.CANARY}}'}\n", EACH),
    ("values: {on: '{{env.CANARY}}'}\n", EACH.replace("forEach", "when").replace("leak", "on")),
    ("lock: {ttl: '{{env.CANARY}}'}\n", make_file("motd", "x")),
    ("local: {root: '{{env.CANARY}}'}\n", make_file("motd", "x")),
)


def test_a_fork_reads_no_environment(hosted):
    """Whatever its settings and manifests name, no value of this machine is in an answer."""
    for settings, manifest in SETTINGS:
        files = add_settings(hosted, settings) | {"infra/web/example.yaml": manifest}
        shown = review(hosted, hosted.open_fork(files), CANARY=CANARY)
        assert "only the manifests were compared" in shown, settings
        assert CANARY not in shown, settings
        assert str(hosted.shop.home) not in shown, settings


def test_a_fork_opens_no_secret(hosted):
    """Its SOPS file names a key service of its own, which is never asked."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        port = server.getsockname()[1]
        key = {
            "vault_address": f"http://127.0.0.1:{port}",
            "engine_path": "transit",
            "key_name": "k",
            "created_at": "2026-01-01T00:00:00Z",
            "enc": "vault:v1:AAAA",
        }
        metadata = {"hc_vault": [key], "lastmodified": "2026-01-01T00:00:00Z", "mac": "ENC[x]"}
        document = {"x": "ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:str]", "sops": metadata}
        files = add_settings(hosted, "values: {leak: {a: '{{secrets.evil.x}}'}}\n") | {
            "infra/web/example.yaml": EACH,
            "secrets/evil.enc.yaml": json.dumps(document),
        }
        shown = review(hosted, hosted.open_fork(files), VAULT_TOKEN=CANARY)
        assert "only the manifests were compared" in shown
        assert CANARY not in shown
        with pytest.raises(TimeoutError):
            server.accept()


def test_a_writer_reads_no_environment(hosted):
    """Neither before the merge nor after it, unless the operator has opened the variable."""
    hosted.push("main", add_settings(hosted, "mode: multi-user\n"))
    set_settings(hosted, "review: {policy: optional}\n")
    pull = hosted.open(edit("{{env.CANARY}} and {{config.values.it}}\n"))
    hosted.push("main", add_settings(hosted, "values: {it: '{{env.CANARY}}'}\n"))
    assert "env.CANARY" in review(hosted, pull, CANARY=CANARY)
    assert CANARY not in review(hosted, pull, CANARY=CANARY)
    hosted.merge(pull)
    process = hosted.shop.start("reconcile", CANARY=CANARY)
    shown = "".join(process.communicate(timeout=600))
    assert CANARY not in shown
    assert "env.CANARY" in shown

    opened = {"CANARY": CANARY, "PROVISIONING_ENV__ALLOW": '["CAN*"]'}
    assert CANARY not in hosted.run("reconcile", "--allow", "unreviewed", **opened)
    assert hosted.shop.live()["motd"] == f"{CANARY} and {CANARY}\n"
    log = hosted.shop.git("ls-remote", hosted.url)
    hosted.shop.git("fetch", "--quiet", hosted.url, "provisioning/web")
    assert CANARY not in hosted.shop.git("log", "-p", "FETCH_HEAD") + log


def test_a_pull_request_does_not_judge_itself(hosted):
    """Its budget, windows, root and lock backend count after the merge, and not before."""
    hosted.push("main", {f"infra/web/f{n}.yaml": make_file(f"f{n}", "x") for n in range(4)})
    set_settings(hosted, "budget: {deletions: 1}\nreview: {apply: before-merge}\n")
    hosted.run("reconcile")
    gone = {f"infra/web/f{n}.yaml": None for n in range(4)}
    for settings in ("budget: {deletions: 50}\n", "local: {root: /}\n", "lock: {backend: none}\n"):
        pull = hosted.open(add_settings(hosted, settings) | gone)
        shown = review(hosted, pull)
        assert "stopped by budget" in shown, settings
        hosted.run("apply", "--pr", str(pull), expected=3)
    assert set(hosted.shop.live()) == {"motd", "f0", "f1", "f2", "f3"}


def test_a_comment_that_is_not_its_author_s_commands_nothing(hosted):
    """Neither one that somebody else has edited, nor one of the reconciler's own account."""
    pull = hosted.open(edit("changed\n"))
    comment = hosted.say(pull, "ben", "looks good")
    time.sleep(1.1)  # Gitea keeps whole seconds
    hosted.call("ops", "PATCH", f"/issues/comments/{comment}", {"body": "/provisioning hold"})
    hosted.say(pull, "ops", "/provisioning hold")
    hosted.run("review")
    assert hosted.list_answers(pull) == []
    assert "web is free" in hosted.run("lock", "explain", "web")
    hosted.say(pull, "ben", "/provisioning hold")
    hosted.run("review")
    assert "is held" in hosted.get_answer(pull)


def test_a_branch_s_name_gives_no_rights(hosted):
    """A branch that is called as those of drifts are is a change like any other."""
    hosted.push("main", {"CODEOWNERS": "infra/.* @ben\n"})
    hosted.shop.git("fetch", "--quiet", hosted.url, "main")
    branch = "provisioning-drift/web/File-motd"
    hosted.push(branch, edit("mine\n"))
    body = {"head": branch, "base": "main", "title": "Mine"}
    pull = hosted.call("ana", "POST", "/pulls", body)["number"]
    hosted.say(pull, "ana", "/provisioning apply")
    hosted.run("review")
    assert "CODEOWNERS names `ben` for `infra/web/example.yaml`" in hosted.get_answer(pull)
    assert "File/motd" in hosted.get_comment(pull)
    assert hosted.read(pull)["state"] == "open"


def test_an_owner_of_a_line_owns_no_other_path(hosted):
    """Each changed path needs its own owner: settings, secrets and templates too."""
    rules = "infra/.* @ana\nconfig/.* @ben\nsecrets/.* @ben\n"
    hosted.push("main", {"CODEOWNERS": rules})
    files = add_settings(hosted, "budget: {deletions: 7}\n") | edit("changed\n")
    pull = hosted.open(files)
    hosted.run("review")
    hosted.say(pull, "ana", "/provisioning apply")
    hosted.run("review")
    assert "CODEOWNERS names `ben` for `config/provisioning.yaml`" in hosted.get_answer(pull)

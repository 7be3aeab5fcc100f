import json
import subprocess

import pytest

SITE = """\
apiVersion: provisioning/v1
kind: Value
metadata: {name: title}
spec:
  input: "{{config.values.title}} of {{secrets.db.name}} at {{env.PLACE}} on {{now.date}}"
---
apiVersion: provisioning/v1
kind: File
metadata: {name: page}
spec:
  path: page.html
  template: infra/web/templates/page.j2
  vars:
    title: "{{config.values.title}}"
    lines: [one, "{{resources.File/style.sha256}}"]
---
apiVersion: provisioning/v1
kind: File
metadata: {name: style}
spec: {path: style.css, content: red}
"""


@pytest.fixture
def site(shop):
    shop.git("rm", "-q", "infra/web/example.yaml")
    shop.write(SITE.split("---\n", 1)[1], "infra/web/site.yaml")
    shop.write("{{ title }}", "infra/web/templates/page.j2")
    shop.commit('[values]\ntitle = "Shop"\n', "infra/web/config.toml")
    shop.run("apply", "--yes")
    return shop


def ask(shop, *words):
    return json.loads(shop.run("why", *words, "-o", "json"))


def tell(why):
    return [(link["what"], link["layer"], str_source(link)) for link in why["links"]]


def str_source(link):
    return f"{link['source']['file']}:{link['source']['line']}" if link["source"] else None


def test_a_field_is_followed_to_the_setting_and_its_author(site):
    """The manifest's line, then the setting's, each with layer, file, line and commit."""
    why = ask(site, "File/page", ".spec.vars.title")
    assert tell(why) == [
        ("web File/page .spec.vars.title", "manifest", "infra/web/site.yaml:8"),
        ("config.values.title", "infra", "infra/web/config.toml:2"),
    ]
    assert why["links"][0]["by"]["author"] == "Ana"
    assert (why["value"], why["applied"]["outcome"]) == (None, "created")
    assert ask(site, "File/page", ".spec.path")["value"] == "page.html"


def test_a_file_and_a_computed_field_are_followed(site):
    """A template has its own author; a digest leads to what it is a digest of."""
    assert tell(ask(site, "File/page", "template"))[1][:2] == (
        "infra/web/templates/page.j2",
        "file",
    )
    links = tell(ask(site, "File/page", "vars.lines[1]"))
    assert ("web File/style .spec.content", "manifest", "infra/web/site.yaml:14") in links
    assert ("resources.File/style.sha256", "computed", "infra/web/site.yaml:11") in links


def test_a_field_tells_the_run_that_changed_it_last(site):
    """A later run that touched another field, or healed a drift, is not the one."""
    site.write("{{ title }}!", "infra/web/templates/page.j2")
    site.commit()
    site.run("apply", "--yes")
    (site.folder / "live/style.css").write_text("blue")
    site.run("reconcile")
    assert ask(site, "File/page", "path")["applied"]["run"].startswith("1-")
    assert ask(site, "File/page", "vars.title")["applied"]["run"].startswith("2-")
    assert ask(site, "File/page", "content")["applied"]["run"].startswith("2-")
    healed = ask(site, "File/style")["applied"]
    assert (healed["run"][:2], healed["because"]) == ("3-", "it was changed outside of Git")


def test_a_renamed_resource_keeps_its_history(site):
    """The answer reaches back behind the rename."""
    text = (site.folder / "infra/web/site.yaml").read_text()
    moved = text.replace("File/style", "File/look").replace("{name: style}", "{name: look}")
    site.commit(moved + "moved: {from: File/style}\n", "infra/web/site.yaml")
    site.run("apply", "--yes")
    why = ask(site, "File/look", "content")
    assert why["applied"]["run"].startswith("1-")
    assert ask(site, "File/look")["applied"]["because"] == "it was File/style"


def test_what_is_gone_tells_which_run_took_it(site):
    """The last run that had it, and that Git asks for it no more."""
    text = (site.folder / "infra/web/site.yaml").read_text()
    site.commit(
        text.split("---")[0].replace(', "{{resources.File/style.sha256}}"', ""),
        "infra/web/site.yaml",
    )
    site.run("apply", "--yes")
    told = site.run("why", "File/style")
    assert "Git does not ask for it any more" in told
    assert "deleted by run 2: it is no longer desired" in told


def test_what_is_newer_than_the_last_run_is_told(site):
    """A commit that no run has seen yet is named, and that it is not applied."""
    site.commit('[values]\ntitle = "Store"\n', "infra/web/config.toml")
    why = ask(site, "File/page", "vars.title")
    assert (why["newer"], why["links"][1]["written"]) == (True, "Store")
    assert "it was changed in Git since the last run" in site.run("why", "File/page", "vars.title")


def test_what_is_in_no_commit_is_named(site):
    """An environment variable and the date have no author; a secret shows no value."""
    site.commit(SITE, "infra/web/site.yaml")
    site.commit("db: {}\n", "secrets/db.enc.yaml")
    links = tell(ask(site, "Value/title", "input"))
    assert links[1:] == [
        ("config.values.title", "infra", "infra/web/config.toml:2"),
        ("secrets.db.name", "secrets", "secrets/db.enc.yaml:1"),
        ("env.PLACE", "environment variable", None),
        ("now.date", "fact", None),
    ]
    assert "no run has applied it yet" in site.run("why", "Value/title")


# Of a secret

USERS = """\
apiVersion: provisioning/v1
kind: File
metadata: {name: conf}
spec:
  path: conf
  content: |
    {{secrets.db.user}}:{{secrets.db.password}}
---
apiVersion: provisioning/v1
kind: File
metadata: {name: far}
spec: {path: far, template: infra/web/templates/t, vars: {all: ["{{config.values.db}}"]}}
---
apiVersion: provisioning/v1
kind: File
metadata: {name: deploy}
spec: {path: deploy, content: "{{secrets.deploy.previous.value}}"}
"""
PASSWORD = "a-long-password-42"


@pytest.fixture
def safe(shop):
    """A password that a field names, and another one reads through settings; and a token."""
    shop.run("secrets", "init")
    shop.run("secrets", "token", "new", "deploy")
    shop.run("secrets", "token", "rotate", "deploy")
    keep_password(shop, PASSWORD)
    shop.write('[values]\ndb.url = "db/{{config.values.login}}"\n', "infra/web/config.toml")
    config = (shop.folder / "config/provisioning.yaml").read_text()
    login = 'values:\n  login: "{{secrets.db.password}}"\n'
    shop.write(config + login, "config/provisioning.yaml")
    shop.write("{{ all[0].url }}", "infra/web/templates/t")
    shop.commit(USERS)
    shop.run("apply", "--yes")
    return shop


def keep_password(shop, password):
    text = f'{{"user": "shop", "password": "{password}"}}'
    shop.write(text, "secrets/db.enc.json")
    shop.run("sops", "-e", "-i", "secrets/db.enc.json")


def tell_used(secret_usage):
    return {
        each["what"]: {read["secret"]: read["through"] for read in each["reads"]}
        for each in secret_usage["used"]
    }


def test_of_a_secret_it_tells_where_it_is_kept_and_who_uses_it(safe):
    """A field that names it, and one that reads a map of settings in which one leads to it."""
    secret_usage = ask(safe, "secrets.db.password")
    (kept,) = secret_usage["files"]
    assert (kept["file"], kept["key"], kept["there"]) == ("secrets/db.enc.json", "password", True)
    assert kept["by"]["author"] == "Ana"
    way = ["config.values.db.url", "config.values.login"]
    assert tell_used(secret_usage) == {
        "web File/conf .spec.content": {"secrets.db.password": []},
        "web File/far .spec.vars.all[0]": {"secrets.db.password": way},
    }
    conf, far = secret_usage["used"]
    assert (str_source(conf), str_source(far)) == (
        "infra/web/example.yaml:6",
        "infra/web/example.yaml:12",
    )
    assert conf["applied"]["run"].startswith("1-")
    lines = (safe.folder / "config/provisioning.yaml").read_text().splitlines()
    assert [(each["what"], str_source(each)) for each in secret_usage["settings"]] == [
        ("config.values.login", f"config/provisioning.yaml:{len(lines)}")
    ]


def test_a_whole_file_of_secrets_is_asked_for_at_once(safe):
    """Each field once, with all that it reads; in the infra that is named."""
    reads = tell_used(ask(safe, "web", "secrets.db"))["web File/conf .spec.content"]
    assert list(reads) == ["secrets.db.user", "secrets.db.password"]


def test_a_token_that_was_replaced_is_found_in_use(safe):
    """Its fingerprint is told, and who still reads the previous one."""
    secret_usage = ask(safe, "secrets.deploy")
    assert secret_usage["files"][0]["fingerprint"].startswith("token:")
    assert tell_used(secret_usage) == {
        "web File/deploy .spec.content": {"secrets.deploy.previous.value": []}
    }
    assert ask(safe, "secrets.deploy.value")["used"] == []
    assert "no resource uses it" in safe.run("why", "secrets.deploy.value")


def test_no_value_is_told_and_no_key_is_needed(safe):
    """Whoever cannot decrypt a file may ask who uses it."""
    for output in ("text", "json", "yaml"):
        told = safe.run("why", "secrets.db", "-o", output, HOME="/nowhere", XDG_CONFIG_HOME="/x")
        assert PASSWORD not in told
        assert "ENC[" not in told


def test_each_user_tells_the_run_that_gave_it_the_newest_value(safe):
    """A new value is newer than the last run, until a run has taken it to the field."""
    keep_password(safe, "another-password")
    safe.commit()
    assert [each["newer"] for each in ask(safe, "secrets.db.password")["used"]] == [True, True]
    safe.run("apply", "--yes")
    secret_usage = ask(safe, "secrets.db.password")
    assert [each["applied"]["run"][:2] for each in secret_usage["used"]] == ["2-", "2-"]
    assert not any(each["newer"] for each in secret_usage["used"])
    assert ask(safe, "secrets.deploy")["used"][0]["applied"]["run"].startswith("1-")


def test_an_infra_s_own_file_comes_first(safe):
    """Each infra finds the secret in its own folder before that of all."""
    (safe.folder / "infra/app").mkdir()
    (safe.folder / "secrets/db.enc.json").rename(safe.folder / "infra/app/db.enc.json")
    keep_password(safe, PASSWORD)
    safe.commit(USERS.split("---\n", 1)[0], "infra/app/app.yaml")
    secret_usage = ask(safe, "secrets.db.password")
    assert [each["file"] for each in secret_usage["files"]] == [
        "infra/app/db.enc.json",
        "secrets/db.enc.json",
    ]
    assert [(each["infra"], each["file"]) for each in secret_usage["used"]][:2] == [
        ("app", "infra/app/db.enc.json"),
        ("web", "secrets/db.enc.json"),
    ]
    assert "no run has applied it yet" in safe.run("why", "app", "secrets.db.password")


def test_what_names_a_secret_that_is_nowhere_is_told(safe):
    """A reference that leads to nothing is found as well."""
    safe.commit(USERS.replace("db.user", "gone.user").replace("db.password", "db.word"))
    told = safe.run("why", "secrets.gone.user")
    assert "no committed file holds it" in told
    assert "web File/conf .spec.content" in told
    assert "secrets/db.enc.json\n      it has no 'word'" in safe.run("why", "secrets.db.word")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["secrets.db.pasword"], "did you mean secrets.db.password?"),
        (["secrets.deplo"], "did you mean secrets.deploy?"),
        (["secrets.nix.nox"], "`provisioning sops secrets/nix.enc.yaml`"),
        (["secrets.db..user"], "write {{secrets.NAME}}"),
        (["wep", "secrets.db"], "did you mean 'web'?"),
        (["secrets"], "or a secret, as in secrets.db"),
    ],
)
def test_a_slip_in_a_secret_s_name_is_answered_with_what_was_meant(safe, words, told):
    """Unknown files, keys and infras are errors with a hint."""
    assert told in safe.run("why", *words, expected=1)


def test_a_file_in_plain_text_is_told(safe):
    """It is an error of the file, with its name."""
    safe.commit("password: plain\n", "secrets/plain.enc.yaml")
    told = safe.run("why", "secrets.plain.password", expected=1)
    assert "secrets/plain.enc.yaml:1" in told


# Bad input


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["File/pag"], "did you mean File/page?"),
        (["File/page", "vras"], "did you mean 'vars'?"),
        (["page"], "give one id"),
        (["File/page", "a..b"], "is not the path of a field"),
        (["wep", "File/page"], "did you mean 'web'?"),
    ],
)
def test_a_slip_is_answered_with_what_was_meant(site, words, told):
    """Unknown infras, ids and fields are errors with a hint."""
    assert told in site.run("why", *words, expected=1)


def test_a_log_of_thousands_of_runs_is_walked(site):
    """The run is found behind 3,000 later ones, a page after the newest."""
    later = []
    for number in range(2, 3002):
        message = f"done run {number}: 1 updated\n\nRun-Id: {number}-abcdef\nResult: done\n"
        parent = "from refs/heads/provisioning/web^0\n" if number == 2 else ""
        later.append(
            "commit refs/heads/provisioning/web\ncommitter A <a@b> 1800000000 +0000\n"
            f"data {len(message)}\n{message}{parent}"
        )
    subprocess.run(
        ["git", "fast-import", "--quiet"],
        input="\n".join(later),
        cwd=site.folder,
        text=True,
        check=True,
    )
    assert ask(site, "File/page", "path")["applied"]["run"].startswith("1-")

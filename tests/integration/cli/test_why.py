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

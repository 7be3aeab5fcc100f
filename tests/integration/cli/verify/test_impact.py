import json

import pytest

WEB = """\
apiVersion: provisioning/v1
kind: Value
metadata: {name: title}
spec: {input: "{{config.values.title}}"}
---
apiVersion: provisioning/v1
kind: File
metadata: {name: page}
spec: {path: page, template: infra/web/templates/page.j2, vars: {t: "{{resources.Value/title}}"}}
---
apiVersion: provisioning/v1
kind: File
metadata: {name: key}
spec: {path: key, content: "{{secrets.db.password}}"}
---
apiVersion: provisioning/v1
kind: Value
metadata: {name: alone}
spec: {input: "{{config.values.other}}"}
"""
APP = """\
apiVersion: provisioning/v1
kind: Value
metadata: {name: far}
spec: {input: "{{infra.web.File/page.sha256}}"}
"""


@pytest.fixture
def site(shop):
    shop.write("{{ t }}", "infra/web/templates/page.j2")
    shop.write(APP, "infra/app/app.yaml")
    shop.write('[values]\ntitle = "{{config.values.brand}}!"\n', "infra/web/config.toml")
    shop.write("db: {}\n", "secrets/db.enc.yaml")
    config = (shop.folder / "config/provisioning.yaml").read_text()
    shop.write(config + "values: {brand: Shop, other: 1}\n", "config/provisioning.yaml")
    shop.commit(WEB)
    return shop


def ask(shop, *words):
    shape = json.loads(shop.run("impact", *words, "-o", "json"))
    return {
        f"{group['infra']} {it['id']}": it["why"]
        for group in shape["infras"]
        for it in group["resources"]
    }


FOLLOWERS = {"web File/page": "needs Value/title", "app Value/far": "needs web File/page"}


def test_a_manifest_touches_what_it_defines_and_its_users(site):
    """Also in other infras; a resource that is only in the work tree counts, too."""
    site.write(APP.replace("far", "new"), "infra/app/more.yaml")
    assert ask(site, "infra/app/app.yaml") == {
        "app Value/far": "is defined in infra/app/app.yaml",
    }
    assert ask(site, "infra/app/more.yaml") == {
        "app Value/new": "is defined in infra/app/more.yaml",
    }
    assert set(ask(site, "infra/web/example.yaml")) == {
        *(f"web {name}" for name in ("Value/title", "File/page", "File/key", "Value/alone")),
        "app Value/far",
    }


def test_settings_secrets_and_templates_touch_their_readers(site):
    """A setting reaches through other settings; a template is a file like any other."""
    reader = {"web Value/title": "reads config.values.title"}
    assert ask(site, "infra/web/config.toml") == reader | FOLLOWERS
    assert ask(site, "secrets/db.enc.yaml") == {"web File/key": "reads secrets.db.password"}
    assert ask(site, "infra/web/templates/page.j2") == {
        "web File/page": "is made from infra/web/templates/page.j2",
        "app Value/far": "needs web File/page",
    }


def test_a_setting_that_is_a_map_touches_through_all_that_lies_in_it(site):
    """A reader of the map reads what one of its entries refers to."""
    site.write('[values.title]\nword = "{{secrets.db.user}}"\n', "infra/web/config.toml")
    site.commit()
    assert "web Value/title" in ask(site, "secrets/db.enc.yaml")


def test_a_commit_touches_only_what_it_changed(site):
    """Of a settings file, the keys that differ; of a manifest, the resources that do."""
    path = site.folder / "config/provisioning.yaml"
    site.commit(path.read_text().replace("brand: Shop", "brand: Store"), "config/provisioning.yaml")
    assert ask(site, "HEAD") == {"web Value/title": "reads config.values.title"} | FOLLOWERS
    site.commit("\n\n" + WEB.split("---\n", 3)[3], "infra/web/example.yaml")
    assert set(ask(site, "HEAD")) == {
        "web Value/title",
        "web File/page",
        "web File/key",
        "app Value/far",
    }
    site.commit("hello", "README")
    told = site.run("impact", "main")
    assert "README is no part of any desired state" in told
    assert "Nothing can be affected." in told


def test_a_provider_s_own_setting_touches_all_it_makes(site):
    """Where files lie is where every file lies."""
    path = site.folder / "config/provisioning.yaml"
    site.commit(path.read_text().replace("root: live", "root: lair"), "config/provisioning.yaml")
    found = ask(site, "HEAD")
    assert len(found) == 5
    assert found["web File/key"] == "is made under config.local.root"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nix"], "'nix' is neither a file of the workspace nor a commit"),
        (["nix", "nox"], "nix is no file of the workspace"),
        (["../../etc"], "neither a file of the workspace nor a commit"),
    ],
)
def test_what_is_neither_file_nor_commit_is_refused(site, words, told):
    """The error says what can be given."""
    assert told in site.run("impact", *words, expected=1)

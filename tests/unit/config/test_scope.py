"""What interpolations give, in settings and for manifests."""

from __future__ import annotations

import pytest

from provisioning.config.scope import Scope
from provisioning.core.expressions.interpolation import resolve_text
from provisioning.core.model.errors import InvalidConfiguration, InvalidManifest, Source
from provisioning.core.model.sensitive import Secret

MANIFEST = Source("infra/web/a.yaml", 7)
WORKSPACE = "config/provisioning.yaml"
FACTS = {
    "paths": {"base": "/shop", "home": "/home/ana/.provisioning", "infra": "/shop/infra/web"},
    "now": {"date": "2026-01-02", "time": "03:04:05"},
    "git": {"branch": "main", "commit": "c0ffee"},
}


@pytest.fixture
def resolve(load_workspace):
    """Resolve a text of a manifest with the given settings."""

    def resolve(text, workspace="", environ=None, **more):
        layers = load_workspace(workspace, **more)
        scope = Scope(layers=layers, environ=environ or {}, facts=FACTS)
        return resolve_text(text, lambda reference: scope(reference, MANIFEST), MANIFEST)

    return resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{paths.base}}/x", "/shop/x"),
        ("{{paths.infra}}", "/shop/infra/web"),
        ("{{now.date}} {{now.time}}", "2026-01-02 03:04:05"),
        ("{{git.branch}}@{{git.commit}}", "main@c0ffee"),
        ("{{env.USER}}", "ana"),
        ("{{config.values.port}}", 8080),
        ("{{config.lock.ttl}}", 120),
        ("{{config.values.site}}", {"url": "http://ana:8080"}),
        ("{{config.values.hosts}}", ["ana", "b"]),
    ],
)
def test_manifests_name_the_world_around_them(resolve, text, value):
    """Each namespace gives its value, with its type where the text is nothing else."""
    workspace = """
values:
  port: 8080
  site: {url: "http://{{env.USER}}:{{config.values.port}}"}
  hosts: ["{{env.USER}}", b]
"""
    assert resolve(text, workspace, {"USER": "ana"}) == value


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("{{env.USR}}", "did you mean 'env.USER'?"),
        ("{{git.comit}}", "did you mean 'git.commit'?"),
        ("{{config.values.prt}}", "did you mean 'config.values.port'?"),
        ("{{config.xyzzy}}", "set it below `values` in config/provisioning.yaml"),
    ],
)
def test_missing_value_is_told_at_the_manifest(resolve, text, hint):
    """What a manifest names and is not there is an error at the manifest's file and line."""
    with pytest.raises(InvalidManifest) as caught:
        resolve(text, "values: {port: 1}", {"USER": "ana"})
    assert caught.value.source == MANIFEST
    assert caught.value.hint == hint


def test_missing_value_is_told_at_the_setting(resolve):
    """What a setting names and is not there is an error at the setting's file and line."""
    with pytest.raises(InvalidConfiguration) as caught:
        resolve("{{config.values.a}}", 'values:\n  a: "{{env.NOPE}}"')
    assert caught.value.source == Source(WORKSPACE, 2)
    assert "values.a: {{env.NOPE}} has no value" in caught.value.message


def test_what_is_not_configured_is_refused(resolve):
    """Namespaces that nobody answers are refused clearly."""
    with pytest.raises(InvalidManifest, match="no secrets are configured"):
        resolve("{{secrets.db.password}}")


def test_what_another_infra_has_not_recorded_is_refused(resolve):
    """The hint is to apply that infra first."""
    with pytest.raises(InvalidManifest, match="infra 'net' has no recorded Network/lan") as caught:
        resolve("{{infra.net.Network/lan.id}}")
    assert caught.value.hint == "apply that first: `provisioning apply net`"


def test_ring_is_told_with_every_place(resolve):
    """Settings in a cycle are told as the way round it, with each file and line."""
    with pytest.raises(InvalidConfiguration) as caught:
        resolve(
            "{{config.values.start}}",
            'values:\n  start: "{{config.values.a}}"\n  a: "{{config.values.b}}"\n  b: x',
            flags=["values.b={{config.values.a}}"],
        )
    assert caught.value.message.endswith(
        "settings refer to each other in a cycle: "
        f"values.a ({WORKSPACE}:3) -> values.b (-c values.b) -> values.a"
    )
    assert caught.value.source == Source(WORKSPACE, 3)


def test_naming_the_map_one_lies_in_is_a_ring(resolve):
    """A value that names a map with itself inside refers to itself."""
    with pytest.raises(InvalidConfiguration, match="in a cycle"):
        resolve("{{config.values}}", 'values: {a: {b: "{{config.values}}"}}')


def test_naming_a_value_twice_is_no_ring(resolve):
    """Two ways to the same value are no cycle."""
    workspace = """
values: {a: x, b: "{{config.values.a}}", c: "{{config.values.a}}{{config.values.b}}"}
"""
    assert resolve("{{config.values.c}}", workspace) == "xx"


@pytest.mark.parametrize("form", ['"{0}{0}{0}{0}"', '["{0}", "{0}", "{0}", "{0}"]'])
def test_settings_that_explode_are_refused(resolve, form):
    """Settings that multiply each other are refused before they fill the memory."""
    names = [f"{{{{config.values.v{number}}}}}" for number in range(14)]
    lines = ["values:", "  v0: 0123456789"]
    lines += [f"  v{number}: {form.format(name)}" for number, name in enumerate(names, 1)]
    with pytest.raises(InvalidConfiguration, match="grows to more than 1024 KiB"):
        resolve("{{config.values.v14}}", "\n".join(lines))


def test_long_chain_is_refused(resolve):
    """A chain of settings that is too long is an error, not a crash."""
    lines = ["values:", "  v0: x"]
    lines += [f'  v{n}: "{{{{config.values.v{n - 1}}}}}"' for n in range(1, 2000)]
    with pytest.raises(InvalidConfiguration, match="more than 16 deep"):
        resolve("{{config.values.v1999}}", "\n".join(lines))


@pytest.mark.parametrize(
    ("workspace", "key", "value"),
    [
        ('local: {root: "{{env.BASE}}/live"}', "local.root", "/srv/live"),
        ('lock: {ttl: "{{env.TTL}}"}', "lock.ttl", 60),
        ('lock: {ttl: "{{config.serve.poll}}"}', "lock.ttl", 30),
        ('lock: {backend: "{{env.BACKEND}}"}', "lock.backend", "none"),
        ('local: {allow: ["{{env.BASE}}", /x]}', "local.allow", ["/srv", "/x"]),
        ('local: {root: "{{git.branch}}"}', "local.root", "main"),
        ('local: {root: "a{{{{b"}', "local.root", "a{{b"),
    ],
)
def test_settings_are_resolved_when_they_are_loaded(load_workspace, workspace, key, value):
    """A setting's own interpolations are resolved, typed and checked when it is loaded."""
    environ = {"BASE": "/srv", "TTL": "60", "BACKEND": "none"}
    layers = load_workspace(workspace, environ=environ, facts={"git": {"branch": "main"}})
    assert layers.get(key).value == value
    tree = layers.merge()
    for name in key.split("."):
        tree = tree[name]
    assert tree == value


def test_home_is_known_without_facts(load_workspace, tmp_path):
    """`paths.home` is known whatever the caller passes."""
    layers = load_workspace('local: {root: "{{paths.home}}/live"}')
    assert layers.get("local.root").value == f"{tmp_path}/live"


@pytest.mark.parametrize(
    ("ttl", "message"),
    [
        ("{{env.TTL}}", "lock.ttl: {{env.TTL}} has no value"),
        ("{{env.WORD}}", "lock.ttl is 'soon', and must be a number"),
        ("{{env.LOW}}", "lock.ttl is 1, and must be a number of at least 10"),
        ("{{git.commit}}", "lock.ttl: {{git.commit}} has no value"),
        ("{{resources.File/a.path}}", "no resources are configured"),
        ("{{config.lock.ttl}}", "in a cycle: lock.ttl (config/provisioning.yaml:2) -> lock.ttl"),
    ],
)
def test_setting_without_a_fitting_value_is_refused(load_workspace, ttl, message):
    """A setting whose interpolation gives nothing, or nothing fitting, is told with its line."""
    with pytest.raises(InvalidConfiguration) as caught:
        load_workspace(f'lock:\n  ttl: "{ttl}"', environ={"WORD": "soon", "LOW": "1"})
    assert message in caught.value.message
    assert caught.value.source == Source(WORKSPACE, 2)


def test_overridden_setting_is_not_resolved(load_workspace):
    """An interpolation that does not win is never asked for its value."""
    layers = load_workspace('lock: {ttl: "{{env.NOPE}}"}', flags=["lock.ttl=30"])
    assert layers.get("lock.ttl").value == 30


def test_own_values_wait_until_they_are_named(load_workspace):
    """What stands below `values` needs a value only when something names it."""
    assert load_workspace('values: {a: "{{git.commit}}"}').get("values.a").value == "{{git.commit}}"


def test_only_the_variables_of_the_operator_are_opened(resolve):
    """The names of others are in no hint; the value of one that is not public is secret."""
    environ = {"TOKEN_A": "abc-secret", "PLAIN": "x", "TOKEN_B": "y"}
    flags = ('env.allow=["TOKEN_A", "P*"]', 'env.public=["PLAIN"]')
    assert resolve("{{env.PLAIN}}", environ=environ, flags=flags) == "x"
    assert isinstance(resolve("{{env.TOKEN_A}}", environ=environ, flags=flags), Secret)
    assert isinstance(resolve("a {{env.TOKEN_A}}", environ=environ, flags=flags), Secret)
    with pytest.raises(InvalidManifest, match=r"env\.allow does not name it") as found:
        resolve("{{env.TOKEN_B}}", environ=environ, flags=flags)
    assert "config.user.toml" in found.value.hint
    with pytest.raises(InvalidManifest, match="has no value") as found:
        resolve("{{env.PLAIM}}", environ=environ | {"PLAIM_": "z"}, flags=flags[1:])
    assert "did you mean" in found.value.hint
    with pytest.raises(InvalidManifest) as found:
        resolve("{{env.PLAIN_}}", environ={"TOKEN_B": "y"}, flags=flags)
    assert "TOKEN_B" not in found.value.hint

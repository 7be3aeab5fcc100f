"""`forEach` and `when`: which resources a manifest stands for."""

import pytest

from provisioning.core.manifests.compilation import compile_manifest
from provisioning.core.model.errors import InvalidManifest, InvalidWorkspace, Source
from provisioning.core.model.sensitive import Secret
from provisioning.core.model.values import read_at

SITES = {
    "shop": {"port": 80, "tags": ["a", "b"], "on": True, "text": "{{ braces"},
    "blog": {"port": 81, "tags": [], "on": False, "text": "plain"},
}
SETTINGS = {
    "mode": "solo",
    "values": {
        "sites": SITES,
        "none": None,
        "list": ["a"],
        "yes": True,
        "tier": "prod",
        "hidden": {"a": {"password": Secret("hunter2")}},
        "bad": {"Not a name": {}},
    },
}

EACH = """\
apiVersion: provisioning/v1
kind: Value
metadata: {name: "site-{{each.key}}"}
forEach: "{{config.values.sites}}"
spec:
  input: {port: "{{each.value.port}}", url: "http://{{ each.key }}:{{each.value.port}}/"}
"""
WHEN = """\
apiVersion: provisioning/v1
kind: Value
metadata: {name: a}
when: "{{config.values.yes}}"
spec: {input: 1}
"""


def look_up(reference, source):
    try:
        return read_at(SETTINGS, reference.steps)
    except KeyError:
        raise InvalidManifest(f"{reference} has no value", source=source) from None


@pytest.fixture
def build(kinds):
    def build(text, lookup=look_up):
        found = compile_manifest(text.encode(), "infra/web/a.yaml", kinds, lookup)
        return {each.id: each for each in found}

    return build


@pytest.fixture
def refuse(build):
    def refuse(text):
        with pytest.raises((InvalidManifest, InvalidWorkspace)) as caught:
            build(text)
        error = caught.value
        return list(error.problems) if isinstance(error, InvalidWorkspace) else [error]

    return refuse


def test_each_entry_of_the_map_is_a_resource(build):
    """Key and values are written in, with their types where they stand alone."""
    found = build(EACH)
    assert [*found] == ["Value/site-blog", "Value/site-shop"]
    assert found["Value/site-shop"].spec == {"input": {"port": 80, "url": "http://shop:80/"}}
    assert found["Value/site-shop"].source == Source("infra/web/a.yaml", 1)
    assert found["Value/site-shop"].given == ("config.values.sites",)


def test_an_insertion_changes_no_other(build):
    """The keys name the resources: what is put between two others renames neither."""
    more = {"cart": {"port": 1}, **SITES}
    old, new = build(EACH), build(EACH, lambda *_: more)
    assert {name: new[name] for name in old} == old
    assert new.keys() - old.keys() == {"Value/site-cart"}


def test_each_stands_anywhere(build):
    """In labels, in what it depends on and was, and within another interpolation."""
    text = EACH.replace(
        "spec:\n",
        'dependsOn: ["Value/base-{{each.key}}"]\n'
        'moved: {from: "Value/{{each.key}}"}\n'
        "spec:\n"
        '  triggers: "{{resources.Value/of-{{each.key}}.output}}"\n',
    ).replace('each.key}}"}', 'each.key}}", labels: {site: "{{each.key}}"}}', 1)
    shop = build(text)["Value/site-shop"]
    assert shop.labels == {"site": "shop"}
    assert shop.depends_on == ("Value/base-shop",)
    assert shop.references == ("Value/of-shop",)
    assert shop.moved_from == "Value/shop"


def test_whole_values_keep_their_type_and_their_braces(build):
    """A list comes as a list; what looks like an interpolation in a value is none."""
    text = EACH.replace(
        '"{{each.value.port}}",', '"{{each.value.tags}}", text: "{{each.value.text}}",'
    )
    shop = build(text)["Value/site-shop"]
    assert shop.spec["input"]["port"] == ["a", "b"]
    assert shop.spec["input"]["text"] == "{{{{ braces"
    assert build(text.replace("text}}", "text}}!"))["Value/site-shop"].spec["input"]["text"] == (
        "{{{{ braces!"
    )


def test_literal_braces_stay(build):
    """`{{{{` stands for itself, also before something that reads like an entry."""
    text = EACH.replace("http://{{ each.key }}", "{{{{each.key}}")
    assert build(text)["Value/site-shop"].spec["input"]["url"].startswith("{{{{each.key}}")


@pytest.mark.parametrize("value", ["{}", "null"])
def test_an_empty_map_stands_for_nothing(build, value):
    """Nothing is there, and nothing is wrong."""
    assert build(EACH, lambda *_: {} if value == "{}" else None) == {}


@pytest.mark.parametrize(
    ("condition", "is_there"),
    [
        ("true", True),
        ("false", False),
        ('"{{config.values.yes}}"', True),
        ('{value: "{{config.values.tier}}", in: [prod, test]}', True),
        ('{value: "{{config.values.tier}}", in: [test]}', False),
        ('{value: "{{config.mode}}", notIn: [cicd]}', True),
        ('{value: "{{config.mode}}", notIn: [solo]}', False),
        ('{value: "{{config.values.yes}}", in: [1]}', False),
    ],
)
def test_when_decides_whether_it_is_there(build, condition, is_there):
    """It is a truth, a setting that is one, or a setting that is compared."""
    found = build(WHEN.replace('"{{config.values.yes}}"', condition))
    assert [*found] == ["Value/a"] * is_there


def test_when_may_choose_among_the_entries(build):
    """Each entry is asked by itself."""
    text = EACH.replace("spec:", 'when: "{{each.value.on}}"\nspec:')
    assert [*build(text)] == ["Value/site-shop"]


def test_what_hangs_on_settings_tells_which(build):
    """`why` and `impact` need them."""
    assert build(WHEN)["Value/a"].given == ("config.values.yes",)
    assert build(WHEN.replace('when: "{{config.values.yes}}"\n', ""))["Value/a"].given == ()


@pytest.mark.parametrize(
    ("old", "new", "line", "told"),
    [
        ("sites}}", "list}}", 4, "must be a map, not a list"),
        ("sites}}", "stes}}", 4, "config.values.stes has no value"),
        ("sites}}", "hidden}}", 4, "holds a secret"),
        ('"{{config.values.sites}}"', "{a: 1}", 4, "must name a setting"),
        ('"{{config.values.sites}}"', '"{{env.SITES}}"', 4, "is no setting"),
        ('"{{config.values.sites}}"', '"x {{config.values.sites}}"', 4, "is no setting"),
        ('"{{config.values.sites}}"', '"{{config.values.sites}"', 4, "is not closed"),
        ("site-{{each.key}}", "site", 3, "is the same for each entry"),
        ("site-{{each.key}}", "{{each.value.text}}", 3, "is the same for each entry"),
        ("{{each.value.port}}", "{{each.value.prt}}", 6, "{{each.value.prt}} has no value (for"),
        ("/{{each.key}}", "/{{each.value.tags}}", 6, "a list within a text"),
        ("spec:\n", "spec:\n  bad: 1\n", 6, "there is no such field (for 'blog')"),
        ("spec:\n", "whn: true\nspec:\n", 5, "there is no such key"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(refuse, old, new, line, told):
    """File, line, the entry if it is one's own, and what to do."""
    text = EACH.replace("{{ each.key }}", "{{each.key}}").replace(old, new)
    first = refuse(text)[0]
    assert told in first.message
    assert first.source == Source("infra/web/a.yaml", line)


def test_a_key_that_is_no_name_is_refused(refuse):
    """The error shows the name that would come out, and its entry."""
    (problem,) = refuse(EACH.replace("sites", "bad").replace("{{each.value.port}}", "1"))[:1]
    assert "'site-Not a name' is not a name (for 'Not a name')" in problem.message


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("1", "must be true or false, not a whole number"),
        ('"yes"', "must be true or false, not text"),
        ('"{{config.values.tier}}"', "must be true or false, not text"),
        ('"{{config.values.none}}"', "must be true or false, not nothing"),
        ('"{{config.values.gone}}"', "config.values.gone has no value"),
        ('"{{config.values.hidden}}"', "holds a secret"),
        ('"{{resources.Value/b.output}}"', "is no setting"),
        ("{value: 1}", "must have a value, and a list in or notIn"),
        ("{value: 1, in: [1], notIn: [2]}", "must have a value, and a list in or notIn"),
        ("{value: 1, in: 1}", "must have a value, and a list in or notIn"),
        ("{value: 1, is: 1, in: [1]}", "there is no such key"),
    ],
)
def test_a_condition_that_is_none_is_refused(refuse, condition, told):
    """One error, at its line."""
    (problem,) = refuse(WHEN.replace('"{{config.values.yes}}"', condition))
    assert told in problem.message
    assert problem.source == Source("infra/web/a.yaml", 4)


def test_each_without_for_each_is_refused(refuse):
    """The hint says what is missing."""
    (problem,) = refuse(WHEN.replace("input: 1", 'input: "{{each.key}}"'))
    assert "forEach" in problem.hint

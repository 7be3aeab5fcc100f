import pytest

from provisioning.core.expressions.interpolation import (
    Reference,
    find_templated,
    parse_text,
    resolve_partly,
    resolve_text,
)
from provisioning.core.model.errors import InvalidManifest, Source
from provisioning.core.model.values import Unknown

VALUES = {
    "env.HOME": "/root",
    "config.values.port": 80,
    "config.values.map": {"a": 1},
    "config.values.yes": True,
    "config.values.braces": "{{x}}",
    "resources.Value/x.output": "out",
}


def resolve(reference):
    return VALUES[str(reference)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("{{env.HOME}}", "/root"),
        ("{{ env.HOME }}/x", "/root/x"),
        ("{{config.values.port}}", 80),
        (":{{config.values.port}}", ":80"),
        ("{{config.values.map}}", {"a": 1}),
        ("is {{config.values.yes}}", "is true"),
        ("{{{{env.HOME}}", "{{env.HOME}}"),
        ("{{resources.Value/x.output}}-{{config.values.port}}", "out-80"),
        ("a }} b", "a }} b"),
    ],
)
def test_a_text_resolves(text, value):
    """A lone interpolation keeps its type, one in a text is written into it."""
    assert resolve_text(text, resolve) == value


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("{{env.HOME", "not closed", "close it"),
        ("{{envv.HOME}}", "unknown namespace 'envv'", "did you mean 'env'?"),
        ("{{zzz.a}}", "unknown namespace", "known: config"),
        ("{{env}}", "not an interpolation", "{{env.NAME}}"),
        ("{{resources.x}}", "not an interpolation", "Kind/name"),
        ("{{resources.Value/X.y}}", "not an interpolation", "Kind/name"),
        ("{{resources.Value/x.}}", "not an interpolation", "Kind/name"),
        ("{{infra.net.x}}", "not an interpolation", "Kind/name"),
        ("{{}}", "unknown namespace", "known"),
    ],
)
def test_what_is_not_of_the_grammar_is_refused_with_its_place(text, message, hint):
    """A bad interpolation says what is wrong, where, and what to write."""
    with pytest.raises(InvalidManifest) as caught:
        parse_text(text, Source("a.yaml", 7))
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")
    assert caught.value.source == Source("a.yaml", 7)


def test_a_map_cannot_stand_inside_a_text():
    """Only plain values are written into texts."""
    with pytest.raises(InvalidManifest, match="map"):
        resolve_text("x{{config.values.map}}", resolve)


def test_one_unknown_part_makes_the_text_unknown():
    """Nothing half-known is shown or compared."""
    unknown = Unknown("resources.Value/x.output")
    assert resolve_text("a{{env.HOME}}", lambda _: unknown) == unknown


def test_resources_have_steps_below_their_id():
    """The first step of a resource reference is the id."""
    (part,) = parse_text("{{resources.Process/web-1.ready.tcp}}")
    assert part == Reference("resources", ("Process/web-1", "ready", "tcp"))
    (part,) = parse_text("{{infra.net.Network/lan.id}}")
    assert part == Reference("infra", ("net", "Network/lan", "id"))


def test_resolving_in_two_steps_gives_what_one_step_gives():
    """What the first step fills in is not read again as an interpolation by the second."""

    def first(reference):
        return reference if reference.resource else resolve(reference)

    text = "{{config.values.braces}} {{resources.Value/x.output}} {{{{ {{config.values.port}}"
    assert resolve_text(resolve_partly(text, first), resolve) == resolve_text(text, resolve)


def test_templated_strings_are_found_with_their_paths():
    """Every string below a tree is looked at, keys are not."""
    tree = {"a": ["x", "{{env.A}}"], "{{env.B}}": {"c": "{{{{"}}
    assert dict(find_templated(tree)) == {("a", 1): "{{env.A}}", ("{{env.B}}", "c"): "{{{{"}

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.core.errors import InvalidManifest
from provisioning.core.values import Unknown
from provisioning.providers.local.templates import expand_file


def render(text: str | bytes, **values: object) -> object:
    raw = text.encode() if isinstance(text, str) else text
    spec = {"path": "x", "template": "page.j2", "vars": values, "mode": "0600"}
    expanded = expand_file(spec, {"page.j2": raw})
    assert expanded.keys() == {"path", "content", "mode"}
    return expanded["content"]


def test_content_is_left_alone():
    """A spec with content is what it is."""
    spec = {"path": "x", "content": "{{ x }}"}
    assert expand_file(spec, {}) == spec


def test_source_is_copied():
    """A source becomes the content: text if it is UTF-8, else bytes."""
    for raw, content in ((b"a\r\n\xc3\xa4", "a\r\nä"), (b"\xff", b"\xff")):
        spec = {"path": "x", "source": "f"}
        assert expand_file(spec, {"f": raw}) == {"path": "x", "content": content}


def test_template_is_rendered():
    """A template gets its variables, and keeps every line end."""
    text = "{% for x in items %}\n{{ x }}\n{% endfor %}\n"
    assert render(text, items=[1, "ä<"]) == "\n1\n\nä<\n\n"


@given(st.text().filter(lambda text: "\r" not in text and "{" not in text))
def test_plain_text_is_a_template_of_itself(text):
    """Text without braces is rendered as it is, its last line end included."""
    assert render(text) == text


def test_unknown_variable_makes_content_unknown():
    """While any variable is unknown, at any depth, the content is that unknown."""
    unknown = Unknown("resources.Value/a.output")
    assert render("{{ a }}", a={"b": [1, unknown]}) is unknown
    for name in ("source", "template"):
        assert expand_file({"path": "x", name: unknown}, {})["content"] is unknown


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a\n{{ missing }}\n", 2, "'missing' is undefined"),
        ("a\n\n{% if %}\n", 3, "cannot be read"),
        ("a\n{{ 1 / 0 }}\n", 2, "division by zero"),
        ("\n\n{{ ().__class__.__bases__ }}\n", 3, "unsafe"),
        ("{{ [1, 2] | random }}", 1, "No filter named 'random'"),
        ("{{ lipsum() }}", 1, "'lipsum' is undefined"),
        ("\n{% include 'other' %}", 2, "cannot be rendered"),
        ("{{ range(10 ** 9) | list }}", 1, "Range too big"),
        (b"a\n\xff", 2, "not UTF-8"),
    ],
)
def test_bad_templates(text, line, message):
    """What is wrong with a template is said with its own file and line."""
    with pytest.raises(InvalidManifest, match=message) as caught:
        render(text)
    assert (caught.value.source.file, caught.value.source.line) == ("page.j2", line)


def test_missing_file():
    """A template or source that is not in the workspace is named."""
    for name in ("source", "template"):
        with pytest.raises(InvalidManifest, match="no file 'gone' in the workspace") as caught:
            expand_file({"path": "x", name: "gone"}, {})
        assert caught.value.hint

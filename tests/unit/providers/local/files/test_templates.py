import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.core.model.errors import InvalidManifest
from provisioning.core.model.values import Unknown
from provisioning.providers.local.files.templates import expand_file


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
        ("{{ range(10 ** 6) | list }}", 1, "Range too big"),
        ("{{ range(10 ** 9) | list }}", 1, "it counts to 1,000,000,000"),
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


DOUBLED = "{{% set n = namespace(x={0}) %}}{{% for a in range(99) %}}{1}{{% endfor %}}{{{{ n.x }}}}"

COSTLY = {
    "loops in loops": "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}"
    "{% endfor %}",
    "a long range": "{{ range(999999999)|list }}",
    "a text times": "{{ 'x' * 999999999 }}",
    "times a text": "{{ 999999999 * 'x' }}",
    "a list times": "{{ [1] * 999999999 }}",
    "a power": "{{ 9 ** (9 ** 9) }}",
    "a product of powers": "{{ (2 ** 3000000) * (2 ** 3000000) }}",
    "a wide format": "{{ '%999999999d' % 1 }}",
    "a wide format by a filter": "{{ '%999999999d'|format(1) }}",
    "a wide format by a method": "{{ '{:999999999}'.format(1) }}",
    "a width from outside": "{{ '%*d'|format(999999999, 1) }}",
    "a centred text": "{{ 'x'|center(999999999) }}",
    "an adjusted text": "{{ 'x'.ljust(999999999) }}",
    "tabs": "{{ ('\\t' * 99999).expandtabs(99999) }}",
    "an indented text": "{{ ('x\\n' * 99999)|indent(99999) }}",
    "a replaced letter": "{{ ('x' * 99999)|replace('x', 'y' * 99999) }}",
    "a replaced letter by a method": "{{ ('x' * 99999).replace('x', 'y' * 99999) }}",
    "doubled by sums": DOUBLED.format("'x'", "{% set n.x = n.x + n.x %}"),
    "doubled by joins": DOUBLED.format("'x'", "{% set n.x = n.x ~ n.x %}"),
    "doubled by blocks": DOUBLED.format("'x'", "{% set n.x %}{{ n.x }}{{ n.x }}{% endset %}"),
    "doubled by a filter": DOUBLED.format("['x']", "{% set n.x = [n.x|join, n.x|join] %}"),
    "a macro that calls itself": "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
    "much output": "{% for a in range(99999) %}{{ 'x' * 99999 }}{% endfor %}",
}


@pytest.mark.parametrize("text", COSTLY.values(), ids=COSTLY)
def test_what_a_template_costs_is_bounded(text):
    """Whoever may write a manifest may not stop everybody's plan: it is refused, by its file."""
    tracer = sys.gettrace()
    with pytest.raises(InvalidManifest) as caught:
        render("\n" + text)
    assert caught.value.source.file == "page.j2"
    assert caught.value.source.line in {1, 2}
    assert sys.gettrace() is tracer


def test_what_is_usual_costs_nothing_that_is_counted():
    """Filters, methods, sums, formats and loops over what people have are as they were."""
    text = (
        "{{ 'a,b'.split(',')|join('; ') }} {{ '%05.2f'|format(1.5) }} {{ 2 ** 10 }} {{ 'ab' * 2 }} "
        "{{ 'x'|center(5) }}|{{ 'a\nb'|indent(2) }} {{ [1] + [2] }} {{ 'aXb'.replace('X', '-') }} "
        "{{ {'b': 1, 'a': 2}|dictsort }} {{ 7 % 4 }} {{ '{:>4}'.format(7) }} {{ 'a' ~ 1 ~ none }} "
        "{% for n in range(1000) if n % 500 == 0 %}{{ n }},{% endfor %}"
    )
    assert render(text) == (
        "a; b 01.50 1024 abab   x  |a\n  b [1, 2] a-b [('a', 2), ('b', 1)] 3    7 a1None 0,500,"
    )

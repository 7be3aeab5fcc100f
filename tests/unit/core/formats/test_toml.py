from __future__ import annotations

import pytest

from provisioning.core.formats.documents import MAX_DEPTH
from provisioning.core.formats.toml import parse_toml
from provisioning.core.model.errors import InvalidManifest

TEXT = """\
# head
kind = "Value"

[metadata]
name = "a"
"dotted.key" = 1
[spec.deep]
x.y = [
  [1],
  [2],
  [3]
]
text = \"\"\"
kind = "no"
[metadata]
\"\"\"
'after' = '''
name = 3'''  # "quote
[[spec.list]]
a = 1
[[spec.list]]
a = 2
  [spec.list.below]
  b = { c = 3 }
"""


def test_a_file_is_one_document_with_the_lines_of_its_tables_and_keys():
    """What looks like a key inside a text, a comment or a list is none."""
    (document,) = parse_toml(TEXT.encode(), "a.toml")

    assert document.line == 2
    assert document.lines == {
        ("kind",): 2,
        ("metadata",): 4,
        ("metadata", "name"): 5,
        ("metadata", "dotted.key"): 6,
        ("spec",): 7,
        ("spec", "deep"): 7,
        ("spec", "deep", "x"): 8,
        ("spec", "deep", "x", "y"): 8,
        ("spec", "deep", "text"): 13,
        ("spec", "deep", "after"): 17,
        ("spec", "list"): 19,
        ("spec", "list", 0): 19,
        ("spec", "list", 0, "a"): 20,
        ("spec", "list", 1): 21,
        ("spec", "list", 1, "a"): 22,
        ("spec", "list", 1, "below"): 23,
        ("spec", "list", 1, "below", "b"): 24,
    }
    assert document.get_line(("spec", "list", 1, "below", "b", "c")) == 24


def test_a_list_of_resources_is_several_documents():
    """Each begins at its header; the tables below it are its own."""
    first, second = parse_toml(
        b'[[resources]]\nkind = "A"\n[resources.spec]\nx = 1\n\n[[resources]]\nkind = "B"\n',
        "a.toml",
    )

    assert (first.tree, first.line) == ({"kind": "A", "spec": {"x": 1}}, 1)
    assert first.lines == {("kind",): 2, ("spec",): 3, ("spec", "x"): 4}
    assert (second.tree, second.line, second.lines) == ({"kind": "B"}, 6, {("kind",): 7})


def test_an_inline_list_of_resources_is_several_documents_too():
    """Their line is that of the list."""
    documents = parse_toml(b'\nresources = [{kind = "A"}, {kind = "B"}]', "a.toml")

    assert [(each.tree["kind"], each.line) for each in documents] == [("A", 2), ("B", 2)]


def test_an_empty_file_has_no_documents():
    """As in YAML."""
    assert parse_toml(b"# nothing\n", "a.toml") == []


def test_dates_and_times_are_strings():
    """They are written as RFC 3339 does."""
    (document,) = parse_toml(
        b"a = 1979-05-27T07:32:00Z\nb = 1979-05-27\nc = [07:32:00]\n"
        b"d = 1979-05-27 07:32:00.5-07:00\n",
        "a.toml",
    )

    assert document.tree == {
        "a": "1979-05-27T07:32:00+00:00",
        "b": "1979-05-27",
        "c": ["07:32:00"],
        "d": "1979-05-27T07:32:00.500000-07:00",
    }


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a = 1\nb =\n", 2, "Invalid value"),
        ("a = 1\na = 2\n", 2, "Cannot overwrite"),
        ("[a]\n[b]\n[a]\n", 3, "twice"),
        ("a: 1\n", 1, "Expected '='"),
        ('a = 1\nb = """x', 2, "Unterminated"),
        ('a = "\\ud800"', 1, "Unicode scalar"),
        ("a = 1\nb = inf", 2, "not finite"),
        ("a = 1\n[b]\nc = [1.0, nan]", 3, "not finite"),
        ("a = 1\nb = 1e999", 2, "not finite"),
        ("a = 1\nb = 18446744073709551616", 2, "64 bits"),
        ("a = 1\nb = " + "9" * 5000, 2, "64 bits"),
        ("\n\x00", 2, "U\\+0000"),
        ("kind = 1\n[[resources]]\nkind = 1\n", 1, "kind stands beside"),
        ("a = " + "[" * 100_000, 1, "more than 100 deep"),
        ("a = " + "{a = " * 100_000, 1, "more than 100 deep"),
        ("\n" + ".".join(["a"] * 200_000) + " = 1", 2, "more than 100 deep"),
        ("x = {" + " . ".join(["a", '"b"'] * 5_000) + " = 1}", 1, "more than 100 deep"),
        ("\na = " + "[" * MAX_DEPTH + "]" * MAX_DEPTH, 2, "more than 100 deep"),
    ],
)
def test_broken_toml_gives_one_clear_error(text, line, message):
    """Each slip gives one error with its line."""
    with pytest.raises(InvalidManifest, match=message) as caught:
        parse_toml(text.encode(), "a.toml")

    assert (caught.value.source.file, caught.value.source.line) == ("a.toml", line)

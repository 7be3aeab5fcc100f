from __future__ import annotations

import pytest

from provisioning.core.formats.documents import MAX_DEPTH
from provisioning.core.formats.json import parse_json
from provisioning.core.model.errors import InvalidManifest


def test_an_object_is_a_document_with_the_line_of_every_place():
    """The lines are those of keys and list entries, as in YAML."""
    (document,) = parse_json(b'\n{"a": {"b":\n  [1,\n  {"c}": "{\\"[,"}]},\n"d": null}', "a.json")

    assert document.tree == {"a": {"b": [1, {"c}": '{"[,'}]}, "d": None}
    assert document.line == 2
    assert document.lines == {
        ("a",): 2,
        ("a", "b"): 2,
        ("a", "b", 0): 3,
        ("a", "b", 1): 4,
        ("a", "b", 1, "c}"): 4,
        ("d",): 5,
    }


def test_a_list_is_several_documents():
    """Each knows its own lines, and a list may be empty."""
    documents = parse_json(b'[{"a": 1},\n {"b":\n 2}, 3]', "a.json")

    assert [(each.tree, each.line) for each in documents] == [({"a": 1}, 1), ({"b": 2}, 2), (3, 3)]
    assert documents[1].lines == {("b",): 2}
    assert parse_json(b"[]", "a.json") == []


def test_numbers_and_escapes_keep_their_types():
    """Whole numbers stay whole; surrogate pairs become the one character they mean."""
    (document,) = parse_json(b'{"a": [-0, 1.0, 1E5, "\\ud83d\\ude00", true, "NaN"]}', "a.json")

    assert repr(document.tree["a"]) == repr([0, 1.0, 100000.0, "\U0001f600", True, "NaN"])


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "Expecting value"),
        ('{"a": 1,\n}', 2, "Expecting property name|Illegal trailing comma"),
        ("[1,\n2,]", 2, "Expecting value|Illegal trailing comma"),
        ("{'a': 1}", 1, "Expecting property name"),
        ('{"a": 1} // end', 1, "Extra data"),
        ('{"a": 1}\n{"b": 1}', 2, "Extra data"),
        ('{"a": 01}', 1, "Expecting ',' delimiter"),
        ('{"a": .5}', 1, "Expecting value"),
        ('{"a": "x\ny"}', 1, "Invalid control character"),
        ('{"a": "\\x"}', 1, "Invalid \\\\escape"),
        ('{"a": 1,\n"b": {},\n"a": 2}', 3, "a is given twice, first on line 1"),
        ('{"a": {"b": 1, "\\u0062": 2}}', 1, "a.b is given twice"),
        ('{"a":\nNaN}', 2, "NaN is not a number"),
        ('{"a":\n-Infinity}', 2, "-Infinity is not a number"),
        ('{"a": "1e999",\n"b": 1e999}', 2, "not finite"),
        ('{"a":\n18446744073709551616}', 2, "64 bits"),
        ('{"a":\n' + "9" * 5000 + "}", 2, "64 bits"),
        ('{"a":\n"\\ud800"}', 2, "surrogate pair"),
        ('{"\\udc00": 1}', 1, "surrogate pair"),
        ('{"a": "\x00"}', 1, "U\\+0000"),
        ("[" * 100_000, 1, "more than 100 deep"),
        ('{"a":' * 100_000, 1, "more than 100 deep"),
        ("\n" + "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), 2, "more than 100 deep"),
    ],
)
def test_anything_but_strict_json_is_refused(text, line, message):
    """Each slip gives one error with its line."""
    with pytest.raises(InvalidManifest, match=message) as caught:
        parse_json(text.encode(), "a.json")

    assert (caught.value.source.file, caught.value.source.line) == ("a.json", line)


def test_nesting_up_to_the_limit_is_read():
    """The limit is the same as in YAML."""
    assert parse_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, "a.json")

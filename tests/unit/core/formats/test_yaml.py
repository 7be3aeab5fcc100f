from __future__ import annotations

import subprocess
import sys

import pytest

from provisioning.core.formats.decoding import MAX_SIZE
from provisioning.core.formats.documents import MAX_DEPTH
from provisioning.core.formats.yaml import MAX_REPEATED, parse_yaml
from provisioning.core.model.errors import InvalidManifest


def parse(text):
    return parse_yaml(text.encode(), "a.yaml")


def parse_tree(text):
    (document,) = parse(text)
    return document.tree


@pytest.mark.parametrize(
    ("written", "value"),
    [
        *((word, word) for word in ("no", "on", "yes", "off", "y", "N", "No", "tRue", "nil")),
        *((word, word) for word in ("08", "0777", "0644", "-01", "00", "01.5", "0b1", "0o8")),
        *((word, word) for word in ("22:22", "1_000", "2020-01-01", "12e", ".", "+", "1.2.3")),
        *((word, word) for word in ("0x", "0xg", "-0x1", "e3", "--1", "1 2", "inf", "NaN", "=")),
        *((word, True) for word in ("true", "True", "TRUE")),
        *((word, False) for word in ("false", "False", "FALSE")),
        *((word, None) for word in ("null", "Null", "NULL", "~", "", "# nothing")),
        ("0", 0),
        ("-0", 0),
        ("+12", 12),
        ("-7", -7),
        ("0o17", 15),
        ("0x1F", 31),
        ("18446744073709551615", 2**64 - 1),
        ("-9223372036854775808", -(2**63)),
        ("1e3", 1000.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("-1.5E-3", -0.0015),
        ('"1"', "1"),
        ("'true'", "true"),
        ('""', ""),
        ("|\n  1", "1\n"),
        (">-\n  null", "null"),
        ('!!int "3"', 3),
        ("!!str 3", "3"),
        ("! 3", "3"),
        ("!!float 3", 3.0),
        ('!!null ""', None),
        ("!!bool true", True),
        ("!!map {}", {}),
        ("!!seq []", []),
    ],
)
def test_scalars_are_read_as_yaml_1_2_does(written, value):
    """A plain word means what it looks like; quotes and blocks always mean text."""
    tree = parse_tree(f"a: {written}\n")

    assert tree == {"a": value}
    assert type(tree["a"]) is type(value)


BROKEN = {
    "duplicate key": ("a: 1\nb: 2\na: 3\n", 3, "a is given twice, first on line 1", "remove"),
    "duplicate, nested": ("s:\n  b: 2\n  'b': 3\n", 3, "s.b is given twice, first on line 2", ""),
    "second merge": ("<<: {a: 1}\n<<: {b: 1}\n", 2, "<< is given twice", "remove"),
    "merge of a text": ("a: 1\n<<: x\n", 2, "merges maps only", "anchor of a map"),
    "merge in a list of texts": ("<<: [{a: 1}, 3]\n", 1, "merges maps only", ""),
    "key is a number": ("a: 1\n8080: x\n", 2, "key is not a string", "quotes"),
    "key is a boolean": ("true: x\n", 1, "key is not a string", "quotes"),
    "key is nothing": ("~: x\n", 1, "key is not a string", "quotes"),
    "key is a list": ("? [a]\n: x\n", 1, "where a key should", "quotes"),
    "unquoted interpolation": ("a: 1\nb: {{env.X}}\n", 2, "where a key should", '"{{…}}"'),
    "infinite": ("a: 1\nb: .inf\n", 2, ".inf is not finite", "quotes"),
    "not a number": ("a: .NaN\n", 1, ".NaN is not finite", "quotes"),
    "overflowing": ("a: 1e999\n", 1, "not finite", "quotes"),
    "large integer": ("a: 18446744073709551616\n", 1, "64 bits", "quotes"),
    "enormous integer": (f"a: {'9' * 5000}\n", 1, "64 bits", "quotes"),
    "own tag": ("a: !Ref x\n", 1, "!Ref is not known", "remove"),
    "own tag on a map": ("a: !Ref {}\n", 1, "!Ref is not known", "remove"),
    "binary": ("a: !!binary aGk=\n", 1, "!!binary is not known", "remove"),
    "set": ("a: !!set {x}\n", 1, "!!set is not known", "remove"),
    "tag that does not fit": ("a: !!int x\n", 1, "'x' is not a value for !!int", ""),
    "scalar tag on a list": ("a: !!str [x]\n", 1, "!!str is not known", ""),
    "unknown alias": ("a: 1\nb: *x\n", 2, "*x has no anchor", "&x"),
    "alias of another document": ("a: &x 1\n---\nb: *x\n", 3, "*x has no anchor", "&x"),
    "recursive list": ("a: &x [*x]\n", 1, "stands inside what it repeats", ""),
    "recursive map": ("a: &x\n  b:\n    c: *x\n", 3, "stands inside what it repeats", ""),
    "recursive merge": ("a: &x\n  <<: *x\n", 2, "stands inside what it repeats", ""),
    "tab as indentation": ("a:\n\tb: 1\n", 2, "a tab", "indent with spaces"),
    "tab after a value": ("a: 1\n \tb: 2\n", 2, "a tab", "indent with spaces"),
    "tab at the start": ("\ta: 1\n", 1, "a tab", "indent with spaces"),
    "NUL": ("a: 1\nb: \x00\n", 2, "U+0000 is not allowed (NUL)", '"\\u0000"'),
    "bell": ("a: 1\n# \x07\n", 2, "U+0007", "remove"),
    "delete": ("a: '\x7f'\n", 1, "U+007F", "remove"),
    "next line": ("a: x\x85y\n", 1, "U+0085", '"\\u0085"'),
    "line separator": ("a: x\u2028y\n", 1, "U+2028", '"\\u2028"'),
    "value with a colon": ("a: 1\nb: c: d\n", 2, "mapping values", '": "'),
    "value with an at": ("a: @x\n", 1, "cannot start any token", "quotes"),
    "value with a star": ("a: *.txt\n", 1, "alphabetic", "quotes"),
    "value with a dash": ("a: - x\n", 1, "block sequence entries", "new line"),
    "value with a bang": ("a: !e!x 1\n", 1, "undefined tag handle", "quotes"),
    "open bracket": ("a: [1\nb: 2\n", 2, "on line 1", "bracket"),
    "open quote": ("a: 1\nb: 'x\nc: 2\n\n", 4, "begins on line 2", "close the quote"),
    "bad escape": ('a: "\\q"\n', 1, "unknown escape", "single quotes"),
    "surrogates": ('a: "\\ud83d\\ude00"\n', 1, "Unicode", "the character itself"),
    "list, then map": ("- a\nb: 1\n", 2, "expected '-'", "indentation"),
    "second version": ("%YAML 2.0\n---\na: 1\n", 1, "incompatible", ""),
}


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"), list(BROKEN.values()), ids=list(BROKEN)
)
def test_broken_yaml_gives_one_clear_error(text, line, message, hint):
    """What is wrong is told with file, line and what to write."""
    with pytest.raises(InvalidManifest) as caught:
        parse(text)

    error = caught.value
    assert str(error).startswith(f"a.yaml:{line}: ")
    assert message in error.message
    assert hint in (error.hint or "")


@pytest.mark.parametrize(
    ("data", "line", "message", "hint"),
    [
        (b"a: 1\nb: \xe9\n", 2, "byte 0xe9 at offset 8 is not UTF-8", "LATIN1"),
        (b"\xef\xbb\xbfa: \xff\n", 1, "offset 6", "UTF-8"),
        (b"a: \xed\xa0\x80\n", 1, "offset 3", "UTF-8"),
        ("a: 1".encode("utf-16"), 1, "UTF-16", "iconv"),
        ("a: 1".encode("utf-16-be"), 1, "U+0000", "remove"),
        (b"\xfe\xff\x00a", 1, "UTF-16", "iconv"),
        (b"a" * (MAX_SIZE + 1), 1, "10,485,760", "split"),
    ],
    ids=["Latin-1", "after a BOM", "surrogate", "UTF-16", "without BOM", "big-endian", "enormous"],
)
def test_bytes_that_are_no_text_are_refused(data, line, message, hint):
    """A wrong encoding is named with the first byte of it; an enormous file with the limit."""
    with pytest.raises(InvalidManifest) as caught:
        parse_yaml(data, "a.yaml")

    assert caught.value.source.line == line
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_a_byte_order_mark_and_windows_line_ends_are_accepted():
    """Editors on Windows write both, and neither means anything."""
    (document,) = parse_yaml(b"\xef\xbb\xbfa: 1\r\nb: |\r\n  x\r\n", "a.yaml")

    assert document.tree == {"a": 1, "b": "x\n"}
    assert document.lines == {("a",): 1, ("b",): 2}


@pytest.mark.parametrize(
    "text", ["", "\n", "# only a comment\n", "---\n---\n...\n", "null\n", "---\n# x\n---\n~\n"]
)
def test_empty_documents_are_skipped(text):
    """A file may be empty, and may end with a separator."""
    assert parse(text) == []


def test_every_document_begins_at_its_first_key():
    """Separators and comments do not count as the document."""
    documents = parse("# head\na: 1\n---\n\n# next\nb: 2\n...\n---\n[c]\n")

    assert [(each.tree, each.line) for each in documents] == [
        ({"a": 1}, 2),
        ({"b": 2}, 6),
        (["c"], 9),
    ]


def test_every_key_and_list_entry_has_its_line():
    """The line is that of the key, or of the entry's value."""
    (document,) = parse("spec:\n  command:\n  - a\n  - b: 1\n    c: {d:\n      2}\n")

    assert document.lines == {
        ("spec",): 1,
        ("spec", "command"): 2,
        ("spec", "command", 0): 3,
        ("spec", "command", 1): 4,
        ("spec", "command", 1, "b"): 4,
        ("spec", "command", 1, "c"): 5,
        ("spec", "command", 1, "c", "d"): 5,
    }
    assert document.get_line(("spec", "command", 1, "c", "x", 0)) == 5


def test_an_alias_repeats_the_value_with_the_lines_where_it_is_written():
    """A problem inside a repeated value is one in the lines it was written on."""
    (document,) = parse("a: &x\n  p: [1, &y two]\nb: *x\nc:\n- *y\n*y : 3\n")

    assert document.tree == {
        "a": {"p": [1, "two"]},
        "b": {"p": [1, "two"]},
        "c": ["two"],
        "two": 3,
    }
    assert document.get_line(("b",)) == 3
    assert document.get_line(("b", "p", 1)) == 2
    assert document.get_line(("c", 0)) == 5


def test_an_anchor_can_be_given_anew():
    """An alias means the last anchor of its name above it; what was built stays."""
    assert parse_tree("a: &x 1\nb: &y [*x]\nc: &x 2\nd: [*x, *y]\n")["d"] == [2, [1]]


@pytest.mark.parametrize(
    ("text", "tree", "lines"),
    [
        ("{<<: *x,\n p: own}", {"p": "own", "q": [2]}, {"p": 5, "q": 2}),
        ("{p: own,\n <<: *x}", {"p": "own", "q": [2]}, {"p": 4, "q": 2}),
        ("{<<: [*x, *y]}", {"p": 1, "q": [2], "r": 4}, {"p": 1, "q": 2, "r": 3}),
        ("{<<: [*y, *x]}", {"p": 3, "q": [2], "r": 4}, {"p": 3, "q": 2, "r": 3}),
        ("{<<: {s: 5}}", {"s": 5}, {"s": 4}),
        ("{<<: []}", {}, {}),
        ("{'<<': *y}", {"<<": {"p": 3, "r": 4}}, {"<<": 4}),
    ],
)
def test_merge_keys_add_what_the_map_does_not_have(text, tree, lines):
    """Own keys win, then the first of several maps; each key keeps the line it is written on."""
    (document,) = parse(f"x: &x {{p: 1,\n  q: [2]}}\n'y': &y {{p: 3, r: 4}}\nz: {text}\n")

    assert document.tree["z"] == tree
    assert {key: document.get_line(("z", key)) for key in tree} == lines


def test_a_merged_map_can_be_repeated_and_merged_again():
    """Anchors on maps with merge keys stand for the whole, filled-in map."""
    tree = parse_tree("a: &a {p: 1}\nb: &b\n  <<: *a\n  q: 2\nc:\n  <<: *b\n  r: *b\n")

    assert tree["c"] == {"p": 1, "q": 2, "r": {"p": 1, "q": 2}}


def build_bomb(levels):
    lines = ["l0: &l0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    for level in range(1, levels):
        repeated = ", ".join([f"*l{level - 1}"] * 9)
        lines.append(f"l{level}: &l{level} [{repeated}]")
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        build_bomb(12),
        f"a: &a {'x' * 10_000}\nb: [{', '.join(['*a'] * 200)}]",
        "a: &a {<<: []}\nb: &b {x: [" + "*a, " * 300_000 + "]}",
    ],
    ids=["a billion laughs", "a long text", "many aliases"],
)
def test_an_alias_bomb_is_refused(text):
    """What aliases repeat is counted before it is built."""
    with pytest.raises(InvalidManifest, match=f"more than {MAX_REPEATED // 1024} KiB"):
        parse(text)


def test_ordinary_aliases_are_far_from_the_limit():
    """Fifty services that share an environment of a kilobyte are no bomb."""
    shared = ", ".join(f"K{number}: value{number}" for number in range(60))
    tree = parse_tree(f"a: &a {{{shared}}}\nb: [{', '.join(['*a'] * 50)}]")

    assert tree["b"] == [tree["a"]] * 50


def test_nesting_is_allowed_up_to_its_limit():
    """The limit is exact, also for what an alias brings."""
    half = MAX_DEPTH // 2
    assert parse("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    assert parse(f"- &a {'[' * (half - 1)}{']' * (half - 1)}\n- {'[' * half}*a{']' * half}\n")
    for text in (
        "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
        f"- &a {'[' * half}x{']' * half}\n- {'[' * half}*a{']' * half}\n",
    ):
        with pytest.raises(InvalidManifest, match="more than 100 deep"):
            parse(text)


@pytest.mark.parametrize("nesting", ["[", "{a: ", "- ", "? ", "a: [", "{", "&a [", "!!seq ["])
def test_a_hundred_thousand_brackets_are_one_error(nesting):
    """The recursion of libyaml would end the process, so this looks from outside of it."""
    code = (
        "from provisioning.core.model.errors import InvalidManifest\n"
        "from provisioning.core.formats.yaml import parse_yaml\n"
        "try:\n"
        f"    parse_yaml({nesting!r}.encode() * 100_000, 'a.yaml')\n"
        "except InvalidManifest as exc:\n"
        "    print(exc)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("a.yaml:1: ")

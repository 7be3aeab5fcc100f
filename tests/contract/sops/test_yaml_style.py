"""Our YAML is written and read as that of `sops`, for values of every troublesome shape."""

import json
import random
import re

import pytest

pytestmark = [pytest.mark.peer("sops"), pytest.mark.peer("age-keygen")]

PLAIN = ["--encrypted-regex", "^nothing$"]
"""Leaves every value as it is, so that it can be compared."""

SHAPES = [
    "yes", "no", "on", "off", "y", "n", "Y", "N", "true", "True", "TRUE", "null", "Null", "~", "1",
    "-1", "+1", "0", "-0", "00", "0777", "0o17", "0x1F", "0b11", "1_000", "1e3", "1E3", ".5", "5.",
    ".inf", "-.inf", ".nan", ".NaN", "1.5", "12:30", "12:30:45", "1:2:3.5", "2001-12-14",
    "2001-12-14T21:59:43Z", "2001-1-1", "<<", "=", "-", "--", "---", "...", "?", ":", "#", "&",
    "*", "!", "|", ">", "'", '"', "%", "@", "`", ",", "[", "]", "{", "}", "-a", "?a", ":a", "a:",
    "a:b", "a#b", "#a", "&a", "*a", "!a", "|a", ">a", "'a", '"a', "%a", "@a", "`a", ",a", "[a",
    "{a", "]a", "}a", "a,", "a]", "0x", "0b", "0o", "1.2.3", "1__0", "_1", "1_", "+.5", "-.5",
    "e3", ".e3", "1e", "1e+3", "1e-3", "nan", "inf", "~a", "null1", "truex", "0x1G", "08", "09",
    "0b2", "18446744073709551616", "9223372036854775807", "-9223372036854775808", "\xe9",
    "\u65e5\u672c", "\\", "\\n", "a\\b",
]  # fmt: skip
SPACED = [
    "", " ", "  ", " a", "a ", "a b", "a: b", "a :b", "a #b", "a# b", "- a", "? a", ": a", "-",
    "a:", "\t", "\ta", "a\t", "a\tb", "a\n", "\n", "\n\n", "\na", "a\nb", "a\nb\n", "a\nb\n\n",
    " a\nb", "a\n b", "a \nb", "a\n\nb", "a\n\n\n", "\n a", "a\n\t", "a\n ", "a: b\nc", "# a\nb",
    "\r", "a\r\nb", "\x00", "\x07", "\x1b", "\x7f", "\x85", "\xa0", "\ufeff", "\ufeffa",
    "\U0001f600", "a\U0001f600\nb", "\ue000", "\ufffd", "\ud7ff", "it's", 'say "hi"',
    'it\'s "both"', "back\\slash",
]  # fmt: skip
LONG = [*("k" * count for count in (127, 128, 129, 200)), "word " * 40, "\xfc" * 70]


DEPTH = re.compile(r"(?P<margin>(?: |- )*)(?P<key>.*: )?\|4(?P<chomp>[-+]?)$")


def correct(line):
    """Name the depth at which a text below *line* begins; `sops` names 4, and misreads that."""
    found = DEPTH.match(line)
    if not found:
        return line
    depth = 4 - len(found["margin"]) % 4 if found["key"] else 2
    return f"{found['margin']}{found['key'] or ''}|{depth}{found['chomp']}"


@pytest.fixture
def compare(ours, theirs, folder, recipient):
    """Convert *tree* by both programs, and return the lines of each before the metadata."""

    def convert(tree, *options, kind="yaml"):
        (folder / "file.json").write_text(json.dumps(tree))
        arguments = [*options, "--age", recipient, *PLAIN, "--output-type", kind, "-e", "file.json"]
        found = []
        for program in (ours, theirs):
            answer = program(*arguments)
            assert answer.code == 0, answer.errors
            plain = re.split(r'\n\s*"?sops"?: ?', answer.output.decode())[0]
            found.append(plain.split("\n"))
        return found

    return convert


def test_values_of_every_shape(compare):
    ours, theirs = compare({f"v{n}": text for n, text in enumerate([*SHAPES, *SPACED, *LONG])})
    assert ours == theirs


def test_keys_of_every_shape(compare):
    texts = [text for text in [*SHAPES, *SPACED, *LONG] if "\n" not in text]
    ours, theirs = compare(dict.fromkeys(texts, "v") | {"b": {text: [1] for text in texts[:80]}})
    assert ours == theirs


def test_items_of_every_shape(compare):
    texts = [*SHAPES, *SPACED, *LONG]
    ours, theirs = compare({"list": texts, "lists": [[text] for text in texts]})
    assert ours == [*map(correct, theirs)]


@pytest.mark.parametrize("kind", ["yaml", "json"])
def test_numbers(compare, kind):
    chance = random.Random(3)
    numbers = [chance.uniform(-1, 1) * 10 ** chance.randrange(-12, 25) for _ in range(100)]
    ours, theirs = compare(
        {"n": [*numbers, 0.0, -0.0, 1.0, 100000.0, 1e6, 1e21, 1e-7, 2**53]}, kind=kind
    )
    assert ours == theirs


@pytest.mark.parametrize("indent", ["1", "2", "3", "4", "8"])
@pytest.mark.parametrize("kind", ["yaml", "json"])
def test_indentation(compare, indent, kind):
    tree = {
        "a": {"b": {"c": [1, [2, [3, {"d": "x\ny", "e": {"f": []}}]], {}]}},
        "l": [{"a": {"b": "x\n"}}],
    }
    ours, theirs = compare(tree, "--indent", indent, kind=kind)
    assert ours == theirs


def build_tree(chance, depth=0):
    kinds = ["text", "text", "number", "map", "list"] if depth < 4 else ["text"]
    match chance.choice(kinds):
        case "map":
            names = chance.sample(SHAPES, chance.randrange(4))
            return {name: build_tree(chance, depth + 1) for name in names}
        case "list":
            return [build_tree(chance, depth + 1) for _ in range(chance.randrange(4))]
        case "number":
            return chance.choice([1, -1, 2.5, True, None])
    return chance.choice([*SHAPES, *SPACED, *LONG])


def test_trees(compare):
    chance = random.Random(7)
    ours, theirs = compare({f"t{n}": build_tree(chance) for n in range(300)})
    assert ours == [*map(correct, theirs)]


PIECES = [
    "{i}k{n}: v",
    "{i}k{n}: v # behind",
    "{i}# above\n{i}k{n}: v",
    "{i}# above\n{i}# and above\n{i}k{n}: 'q' # behind",
    "{i}k{n}:\n{i}  - a\n{i}  # between\n{i}  - b # behind\n{i}  - c",
    "{i}k{n}:\n{i}- a\n{i}- b",
    "{i}k{n}: [a, 'b', {{c: d}}]",
    "{i}k{n}: {{a: b, c: [d]}}",
    "{i}k{n}: |\n{i}  one\n{i}  two",
    "{i}k{n}: |-\n{i}  one\n\n{i}  two",
    "{i}k{n}: |+\n{i}  one\n\n",
    "{i}k{n}: >\n{i}  one\n{i}  two",
    '{i}k{n}: "two\n{i}  lines"',
    "{i}k{n}: plain\n{i}  lines",
    "{i}k{n}: &a{n} x\n{i}l{n}: *a{n}",
    "{i}k{n}: &b{n} {{p: q}}\n{i}l{n}:\n{i}  <<: *b{n}\n{i}  r: s",
    "{i}k{n}: !!str 1",
    "{i}k{n}: !!binary aGVsbG8=",
    "{i}k{n}: 2001-12-14 21:59:43.10",
    "{i}k{n}:",
    "{i}? k{n}\n{i}: v",
    "{i}'k {n}': v",
    "{i}k{n}:\n{i}  # inside\n{i}  deeper: v",
    "{i}k{n}:\n{i}  deeper: v\n{i}  # at the end",
    "{i}k{n}:\n{i}  - a: 1\n{i}    b: 2\n{i}  - c: 3",
    "{i}k{n}:\n{i}  - # beside the dash\n{i}    a: 1",
    "\n{i}# alone\n\n{i}k{n}: v",
]


@pytest.mark.parametrize("part", range(8))
def test_plain_files_are_read_alike(part, ours, theirs, folder, recipient):
    """Whatever the file looked like, both decrypt what both encrypt to the same lines."""
    chance = random.Random(part)
    blocks = []
    for number in range(12):
        piece = chance.choice(PIECES)
        if chance.random() < 0.3:
            blocks.append(f"m{number}:\n" + piece.format(i="    ", n=number))
        else:
            blocks.append(piece.format(i="", n=number))
    file = folder / "file.yaml"
    file.write_text("\n".join(blocks) + "\n# the end\n")
    outputs = []
    for one, other in ((theirs, ours), (ours, theirs)):
        encrypted = one("--age", recipient, "-e", file.name)
        assert encrypted.code == 0, encrypted.errors
        (folder / "encrypted.yaml").write_bytes(encrypted.output)
        outputs += [other("-d", "encrypted.yaml").output.decode().split("\n")]
    assert outputs[0] == outputs[1], file.read_text()

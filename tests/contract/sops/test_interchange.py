"""What `sops` encrypts we decrypt, and the other way round: every format with every option."""

from __future__ import annotations

import itertools

import pytest

pytestmark = [pytest.mark.peer("sops"), pytest.mark.peer("age-keygen")]

SOURCES = {
    "yaml": b"""\
# first comment
# second
plain_unencrypted: left
name: text # behind
# encrypt this
nested:
    # inside
    key: 'it''s: quoted'
    other_secret: "tab\\there"
    deep:
        - 1
        - -2.5
        - true
        - null
        - 2026-01-02T03:04:05Z
        # between
        - a: b
          c: [d, {e: f}]
        - []
empty: ""
nothing: ~
big: 9007199254740993
octal: 0777
exponent: 1.5e300
date: 2001-12-14
anchor: &anchor
    x: 1
alias: *anchor
merged:
    <<: *anchor
    y: 2
lines: |
    one

      two
folded: >-
    some words
    on two lines
unicode: "\\xfcn\\xef \\U0001F600 \\u2028"
"yes": "no"
# last
---
second: document
""",
    "json": b"""{
  "plain_unencrypted": "left", "name": "text", "nested": {"key": [1, 2.5, true, null, {"a": "b"}]},
  "other_secret": "<&>\\u2028", "big": 9007199254740993, "huge": 123456789012345678901234567890,
  "float": 1e-7, "empty": "", "map": {}, "list": [], "unicode": "\\ud83d\\ude00 \\u0001"
}""",
    "dotenv": b"""\
# comment
PLAIN_unencrypted=left
NAME=value with = and # inside
LINES=one\\ntwo
other_secret='quoted'
EMPTY=
""",
    "ini": b"""\
; about the file
top = 1

; about the section
[section]
; about the key
name = value
plain_unencrypted = left
other_secret = "  blanks  "
lines = \"\"\"one
two\"\"\"
hash = `a#b`

[other]
empty =
""",
    "binary": bytes(range(256)) * 3,
}
OPTIONS = {
    "default": [],
    "unencrypted-suffix": ["--unencrypted-suffix", "name"],
    "encrypted-suffix": ["--encrypted-suffix", "_secret"],
    "unencrypted-regex": ["--unencrypted-regex", "^(na|date)"],
    "encrypted-regex": ["--encrypted-regex", "^(name|deep|section)$"],
    "unencrypted-comment-regex": ["--unencrypted-comment-regex", "^ (inside|about)"],
    "encrypted-comment-regex": ["--encrypted-comment-regex", "encrypt this|about the k"],
    "mac-only-encrypted": ["--mac-only-encrypted", "--encrypted-regex", "^name$"],
}
SUFFIXES = {"dotenv": "env", "binary": "bin"}
MATRIX = list(itertools.product(SOURCES, OPTIONS))


def name_file(kind: str) -> str:
    return f"file.{SUFFIXES.get(kind, kind)}"


@pytest.mark.parametrize(("kind", "option"), MATRIX)
def test_what_sops_encrypts_is_decrypted_to_the_same_bytes(
    kind, option, ours, theirs, folder, recipient
):
    file = folder / name_file(kind)
    file.write_bytes(SOURCES[kind])
    encrypted = theirs("--age", recipient, *OPTIONS[option], "-e", file.name)
    assert encrypted.code == 0, encrypted.errors
    file.write_bytes(encrypted.output)

    expected, found = theirs("-d", file.name), ours("-d", file.name)
    assert (found.code, found.output) == (0, expected.output), found.errors


@pytest.mark.parametrize(("kind", "option"), MATRIX)
def test_sops_decrypts_what_we_encrypt_to_the_same_bytes(
    kind, option, ours, theirs, folder, recipient
):
    file = folder / name_file(kind)
    file.write_bytes(SOURCES[kind])
    encrypted = ours("--age", recipient, *OPTIONS[option], "-e", file.name)
    assert encrypted.code == 0, encrypted.errors
    file.write_bytes(encrypted.output)

    expected, found = ours("-d", file.name), theirs("-d", file.name)
    assert (found.code, found.output) == (0, expected.output), found.errors


@pytest.mark.parametrize(("kind", "option"), MATRIX)
def test_both_write_the_same_lines_but_for_what_is_random(
    kind, option, ours, theirs, folder, recipient
):
    file = folder / name_file(kind)
    file.write_bytes(SOURCES[kind])
    arguments = ["--age", recipient, *OPTIONS[option], "-e", file.name]
    assert blank(ours(*arguments).output) == blank(theirs(*arguments).output)


def blank(data: bytes) -> list[str]:
    """Return the lines of *data* with all that is random, or tells the time, removed."""
    import re

    text = data.decode("utf-8", "surrogateescape")
    text = re.sub(r"ENC\[AES256_GCM,data:[^,]*,iv:[^,]*,tag:[^,]*,", "ENC[", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:]+Z", "TIME", text)
    text = re.sub(r"-----BEGIN AGE.*?END AGE ENCRYPTED FILE-----", "AGE", text, flags=re.DOTALL)
    return text.splitlines()


@pytest.mark.parametrize(("source", "target"), list(itertools.product(SOURCES, SOURCES)))
def test_output_types_convert_alike(source, target, ours, theirs, folder, recipient):
    file = folder / name_file(source)
    separator = b"\\u2028"  # which sops writes into YAML so that nobody reads it back
    file.write_bytes(SOURCES[source].replace(separator, b""))
    file.write_bytes(theirs("--age", recipient, "-e", file.name).output)

    expected = theirs("-d", "--output-type", target, file.name)
    found = ours("-d", "--output-type", target, file.name)
    assert (found.code, found.output) == (expected.code, expected.output), found.errors


@pytest.mark.parametrize("kind", [kind for kind in SOURCES if kind != "binary"])
def test_a_file_that_is_edited_without_a_change_of_a_value_keeps_its_text(
    kind, ours, theirs, folder, recipient
):
    file = folder / name_file(kind)
    file.write_bytes(SOURCES[kind].replace(b"# behind", b"").replace(b"        # between\n", b""))
    file.write_bytes(theirs("--age", recipient, "-e", file.name).output)
    old = file.read_bytes().splitlines()
    index = '["section"]["added"]' if kind == "ini" else '["added"]'

    assert ours("set", file.name, index, '"new"').code == 0
    assert ours("unset", file.name, index).code == 0
    assert [
        line for line in file.read_bytes().splitlines() if line not in old and not is_stamp(line)
    ] == []
    assert theirs("-d", file.name).code == 0


def is_stamp(line: bytes) -> bool:
    return b"mac" in line or b"lastmodified" in line

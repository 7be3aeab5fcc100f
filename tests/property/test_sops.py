"""Any tree comes back as it was; whatever somebody changes without the key is found."""

import json
import random
import re
from contextlib import suppress

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from sops_python.cipher import Cipher
from sops_python.document import Document, decrypt_document, encrypt_document
from sops_python.errors import SopsError, Tampered, UndecryptableValue
from sops_python.files import Format, dump_document, load_encrypted, open_store
from sops_python.metadata import MasterKey, Metadata
from sops_python.selection import Selection
from sops_python.tree import Branch, as_plain, from_plain

KEY = bytes(range(32))
NOW = "2026-01-02T03:04:05Z"
METADATA = Metadata(
    groups=((MasterKey("age", {"recipient": "age1x"}, "wrapped\n"),),), selection=Selection()
)

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=30) | st.sampled_from(
    ["yes", "1", "1.5", "null", "~", "", " a", "a ", "a: b", "# a", "a\nb", "\n", "\t", "'", '"',
     "a\n  b\n", "- a", "2001-12-14", "<<", "k" * 200, "&a", "*a", "!a", "ENC[", "0x1F", "=", "%a",
     "a\n\nb", "  \n a", "\u2028", "\x85", "\r\n", "\ufeff", "😀", "\x00", "---", "...", "? a"]
)  # fmt: skip
scalars = texts | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.none()
numbers = scalars | st.floats(allow_nan=False, allow_infinity=False)
keys = texts.filter(lambda key: key not in ("sops", "<<"))
trees = st.dictionaries(
    keys,
    st.recursive(
        numbers,
        lambda below: st.lists(below, max_size=3) | st.dictionaries(keys, below, max_size=3),
        max_leaves=8,
    ),
    min_size=1,
    max_size=5,
)
names = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,10}", fullmatch=True).filter(
    lambda name: not name.startswith("sops")
)
lines = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=20)
CONTENT = {
    Format.YAML: trees,
    Format.JSON: trees,
    Format.DOTENV: st.dictionaries(names, lines.filter(lambda text: "\\n" not in text), min_size=1),
    Format.INI: st.dictionaries(
        names,
        st.dictionaries(
            names,
            st.text(st.characters(categories=("L", "N")), min_size=1, max_size=20),
            max_size=3,
        ),
        min_size=1,
    ).map(lambda sections: {"DEFAULT": {}} | sections),
}


def seal(branches, kind, metadata=METADATA):
    document = encrypt_document(Document(branches, metadata), Cipher(KEY), NOW)
    return dump_document(document, open_store(kind))


def unseal(data, kind):
    document = load_encrypted(data, open_store(kind))
    return decrypt_document(document, Cipher(KEY))


@pytest.mark.parametrize("kind", list(CONTENT))
@settings(max_examples=150)
@given(data=st.data())
def test_any_tree_comes_back_as_it_was(kind, data):
    tree = data.draw(CONTENT[kind])
    plain = as_plain(unseal(seal([from_plain(tree)], kind), kind).branches[0])
    assert plain == tree
    assert [type(value) for value in plain.values()] == [type(value) for value in tree.values()]


@given(st.binary(max_size=200))
def test_any_bytes_come_back_as_they_were(data):
    store = open_store(Format.BINARY)
    encrypted = encrypt_document(Document(store.load(data), METADATA), Cipher(KEY), NOW)
    loaded = load_encrypted(dump_document(encrypted, store), store)
    assert store.dump(decrypt_document(loaded, Cipher(KEY)).branches) == data


@pytest.mark.parametrize("kind", [Format.YAML, Format.JSON])
@example({"list": ["\n0", [" a\nb"], {"key": "\n0", "list": ["\n0"]}]})
@given(trees)
def test_plain_files_come_back_as_they_were(kind, tree):
    """But for whole numbers that are floats, which Go writes as whole numbers."""
    store = open_store(kind)
    once = as_plain(store.load(store.dump([from_plain(tree)]))[0])
    assert once == tree or kind is Format.JSON
    assert as_plain(store.load(store.dump([from_plain(once)]))[0]) == once


SOURCE = {
    "first": "one",
    "second": "two",
    "third_unencrypted": "three",
    "map": {"a": "b", "c": [1, True, 2.5, "x", "y"]},
    "same": "one",
}


def flatten(value, path=()):
    if isinstance(value, dict):
        for key, item in value.items():
            yield from flatten(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from flatten(item, (*path, index))
    elif isinstance(value, str) and value.startswith("ENC["):
        yield path


def change_at(tree, path, change):
    *above, last = path
    for step in above:
        tree = tree[step]
    tree[last] = change(tree[last])


def refuse(tree):
    """Make sure that the changed file is not decrypted."""
    with pytest.raises((Tampered, UndecryptableValue)):
        unseal(json.dumps(tree).encode(), Format.JSON)


def build():
    return json.loads(seal([from_plain(SOURCE)], Format.JSON))


@given(st.data())
def test_a_flipped_bit_is_found(data):
    tree = build()
    path = data.draw(st.sampled_from([path for path in flatten(tree) if path[0] != "sops"]))
    part = data.draw(st.sampled_from(["data", "iv", "tag"]))

    def flip(text):
        import base64

        old = re.search(rf"{part}:([^,]*)", text)[1]
        raw = bytearray(base64.b64decode(old))
        bit = data.draw(st.integers(0, 8 * len(raw) - 1))
        raw[bit // 8] ^= 1 << bit % 8
        return text.replace(f"{part}:{old}", f"{part}:{base64.b64encode(raw).decode()}")

    change_at(tree, path, flip)
    refuse(tree)


@given(st.randoms(use_true_random=False))
def test_swapped_removed_doubled_and_reordered_values_are_found(chance):
    tree = build()
    actions = [
        lambda: tree.update(first=tree["second"], second=tree["first"]),
        lambda: tree.pop(chance.choice(["first", "second", "third_unencrypted", "map", "same"])),
        lambda: tree.update(fourth=tree["first"]),
        lambda: tree["map"]["c"].append(tree["map"]["c"][0]),
        tree["map"]["c"].reverse,
        tree["map"]["c"].pop,
        lambda: tree.update(third_unencrypted="changed"),
        lambda: tree.update(added_unencrypted="new"),
        lambda: tree["sops"].update(lastmodified="2026-01-02T03:04:06Z"),
        lambda: tree["sops"].update(mac=tree["first"]),
        lambda: tree["sops"].update(mac=""),
        lambda: tree["sops"].update(unencrypted_suffix="_other"),
        lambda: tree.update({"second": tree.pop("second")}),
        lambda: tree.update(first=""),
        lambda: tree.update(same="plain"),
    ]
    chance.choice(actions)()
    refuse(tree)


def test_types_cannot_be_changed():
    tree = build()
    change_at(tree, ("map", "c", 0), lambda text: text.replace("type:int", "type:str"))
    opened = unseal(json.dumps(tree).encode(), Format.JSON)
    assert opened.branches[0].get("map").get("c")[0] == "1"  # as `sops`: the MAC covers the text


@pytest.mark.parametrize("kind", list(Format))
@settings(max_examples=200)
@given(data=st.data())
def test_any_bytes_are_a_file_or_one_clear_error(kind, data):
    base = seal([from_plain({"a": "b", "c": {"d": [1]}})], Format.YAML)
    if kind in (Format.JSON, Format.BINARY):
        base = seal([from_plain({"a": "b"})], Format.JSON)
    raw = bytearray(data.draw(st.just(base) | st.binary(max_size=80)))
    for _ in range(data.draw(st.integers(0, 4))):
        assume(raw)
        place = data.draw(st.integers(0, len(raw) - 1))
        raw[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    with suppress(SopsError):
        unseal(bytes(raw), kind)


def test_a_cut_file_is_never_taken_for_whole():
    whole = seal([from_plain(SOURCE)], Format.YAML)
    chance = random.Random(1)
    for _ in range(100):
        with pytest.raises(SopsError):
            unseal(whole[: chance.randrange(len(whole) - 60)], Format.YAML)


def test_a_branch_is_told_from_a_list_of_pairs():
    assert isinstance(from_plain({"a": []}), Branch)

from __future__ import annotations

import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provisioning.core.formats.json import parse_json
from provisioning.core.formats.yaml import parse_yaml
from provisioning.core.manifests.compilation import MANIFEST_SUFFIXES, compile_manifest
from provisioning.core.model.errors import InvalidManifest, InvalidWorkspace

quiet = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


def build_trees(texts):
    leaves = (
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**64 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | texts
    )
    return st.recursive(
        leaves, lambda below: st.lists(below) | st.dictionaries(texts, below), max_leaves=30
    )


ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
YAML_TEXT = st.text(
    st.characters(
        exclude_categories=["Cs"],
        max_codepoint=0xFFFF,
        exclude_characters=[chr(code) for code in (*range(0x7F, 0xA0), 0x2028, 0x2029)]
        + ["\ufffe", "\uffff"],
    ),
    max_size=40,
)


def is_same(one, other):
    """Equal in value and type; a negative zero is not a positive one."""
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    return type(one) is type(other) and one == other


def find_places(tree, path=()):
    if not isinstance(tree, dict | list):
        return
    for step, item in tree.items() if isinstance(tree, dict) else enumerate(tree):
        yield (*path, step)
        yield from find_places(item, (*path, step))


@quiet
@given(build_trees(ANY_TEXT), st.sampled_from([None, 1]), st.booleans())
def test_json_gives_back_what_was_dumped(tree, indent, ascii_only):
    """Whatever JSON can say is read as it was, and every place has its line."""
    text = json.dumps({"root": tree}, indent=indent, ensure_ascii=ascii_only)
    (document,) = parse_json(text.encode(), "a.json")

    assert is_same(document.tree, {"root": tree})
    assert list(document.lines) == list(find_places({"root": tree}))
    if indent:
        assert list(document.lines.values()) == sorted(document.lines.values())


@quiet
@given(build_trees(YAML_TEXT), st.sampled_from([None, 1]), st.booleans())
def test_yaml_reads_json(tree, indent, ascii_only):
    """JSON is YAML, and both tell the same lines."""
    text = json.dumps({"root": tree}, indent=indent, ensure_ascii=ascii_only)
    (document,) = parse_yaml(text.encode(), "a.yaml")

    assert is_same(document.tree, {"root": tree})
    assert document.lines == parse_json(text.encode(), "a.json")[0].lines


PIECES = st.sampled_from(
    [
        *(b"apiVersion: provisioning/v1\n", b"kind: Value\n", b"kind: Service\n", b"metadata:\n"),
        *(b"  name: a\n", b"spec:\n", b"  input: ", b"  command:\n", b"  - ", b"lifecycle: "),
        *(b"dependsOn: ", b"moved: ", b"[[resources]]\n", b"[spec]\n", b"a = ", b"x.y = "),
        *(b'{"apiVersion": ', b'"provisioning/v1",', b'"kind": ', b'"Value",', b'"spec": '),
        *(b"&a ", b"*a", b"<<: ", b"{{env.X}}", b"'{{", b"}}'", b"!!int ", b"!x ", b"---\n", b"? "),
        *(b"{", b"}", b"[", b"]", b",", b":", b"\n", b"\t", b"'", b'"', b'"""', b"\\u", b"|\n"),
        *(b"\xff", b"\x00", b"1e999", b"0x", b".inf", b"nan", b"1979-05-27", b"\xe2\x80\xa8"),
    ]
)


@pytest.mark.parametrize("suffix", MANIFEST_SUFFIXES)
@quiet
@given(data=st.binary(max_size=200) | st.lists(PIECES, max_size=25).map(b"".join))
def test_no_bytes_are_more_than_a_bad_manifest(kinds, suffix, data):
    """Whatever stands in a file, the answer is resources or an error with a place."""
    problems = find_problems(data, f"a{suffix}", kinds)

    assert all(1 <= each.source.line <= len(data.splitlines()) + 1 for each in problems)


def find_problems(data, file, kinds):
    try:
        compile_manifest(data, file, kinds)
    except InvalidWorkspace as exc:
        return exc.problems
    except InvalidManifest as exc:
        return [exc]
    return []

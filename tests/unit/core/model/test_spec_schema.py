"""Kinds whose schema is data, also of somebody who means harm."""

import subprocess
import sys
import time

import pytest

from provisioning.core.manifests.compilation import compile_manifest
from provisioning.core.manifests.json_schema import compute_schema
from provisioning.core.model.errors import InvalidWorkspace, ProviderMisbehaved, ProvisioningError
from provisioning.core.model.kinds import Field, Kind, Problem
from provisioning.core.model.schemas.spec_schema import MAX_DEPTH, MAX_PARTS
from provisioning.core.model.sensitive import Secret

RULE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["host"],
    "properties": {"host": {"type": "string"}, "port": {"$ref": "#/$defs/port"}},
}
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 10},
        "size": {"type": ["integer", "null"], "minimum": 1, "maximum": 9},
        "tier": {"enum": ["small", "large"]},
        "rules": {"type": "array", "items": RULE, "uniqueItems": True, "minItems": 1},
        "env": {
            "type": "object",
            "patternProperties": {"^[A-Z]+$": {"type": "string"}},
            "additionalProperties": False,
        },
        "target": {"anyOf": [{"type": "string"}, RULE]},
        "password": {"type": "string", "minLength": 8},
        "disk": {
            "type": "object",
            "properties": {"size": {"type": "integer"}},
            "unevaluatedProperties": False,
        },
        "mode": {
            "type": "object",
            "properties": {"kind": {"type": "string"}},
            "if": {"properties": {"kind": {"const": "fast"}}},
            "then": {"required": ["speed"]},
        },
    },
    "$defs": {"port": {"type": "integer", "maximum": 65535}},
}


def build(schema=SCHEMA, fields=()):
    return Kind(name="App", provider="third", summary="", schema=lambda: schema, fields=fields)


KIND = build()


def find(spec, *holes):
    return KIND.find_problems({"name": "a", **spec}, set(holes))


WRONG = {
    "text for a number": (
        {"size": "9"},
        [(("size",), "int_type"), (("size",), "none_required")],
    ),
    "true for a number": ({"size": True}, [(("size",), "int_type"), (("size",), "none_required")]),
    "too small": ({"size": 0}, [(("size",), "value_error")]),
    "none of the choices": ({"tier": "smal"}, [(("tier",), "literal_error")]),
    "a pattern": ({"name": "A"}, [(("name",), "value_error")]),
    "an unknown field": ({"nam": 1}, [(("nam",), "extra_forbidden")]),
    "a field that is missing below": ({"rules": [{}]}, [(("rules", 0, "host"), "missing")]),
    "an unknown field below": (
        {"rules": [{"host": "a", "prt": 1}]},
        [(("rules", 0, "prt"), "extra_forbidden")],
    ),
    "by a reference": (
        {"rules": [{"host": "a", "port": "x"}]},
        [(("rules", 0, "port"), "int_type")],
    ),
    "a key that fits no pattern": ({"env": {"a": "1"}}, [(("env", "a"), "extra_forbidden")]),
    "a value below a pattern": ({"env": {"A": 1}}, [(("env", "A"), "string_type")]),
    "the branch that fits best": (
        {"target": {"host": 1}},
        [(("target", "host"), "string_type")],
    ),
    "no branch": ({"target": 1}, [(("target",), "string_type"), (("target",), "dict_type")]),
    "not evaluated": ({"disk": {"sise": 1}}, [(("disk", "sise"), "extra_forbidden")]),
    "by a condition": ({"mode": {"kind": "fast"}}, [(("mode", "speed"), "missing")]),
    "an item twice": ({"rules": [{"host": "a"}, {"host": "a"}]}, [(("rules",), "value_error")]),
}


@pytest.mark.parametrize(("spec", "wanted"), WRONG.values(), ids=WRONG)
def test_problems_are_those_of_a_model(spec, wanted):
    assert [(it.path, it.type) for it in find(spec)] == wanted


def test_what_is_right_has_no_problem():
    spec = {
        "size": None,
        "tier": "large",
        "rules": [{"host": "a", "port": 1}],
        "env": {"A": "1"},
        "target": {"host": "b"},
        "password": Secret("long-enough"),
        "mode": {"kind": "fast", "speed": 1},
    }
    assert find(spec) == []


TEXT = "{{resources.App/b.x}}"
HOLES = {
    "a value": ({"size": TEXT}, ("size",)),
    "one below": ({"rules": [{"host": "a", "port": TEXT}]}, ("rules", 0, "port")),
    "one of a branch": ({"target": {"host": "a", "port": TEXT}}, ("target", "port")),
    "items that may differ": ({"rules": [{"host": TEXT}, {"host": TEXT}]}, ("rules", 0, "host")),
    "a condition": ({"mode": {"kind": "fast", "other": TEXT}}, ("mode", "other")),
}


@pytest.mark.parametrize(("spec", "hole"), HOLES.values(), ids=HOLES)
def test_what_an_interpolation_will_fill_in_is_forgiven(spec, hole):
    assert find(spec, hole) == []


@pytest.mark.parametrize(
    ("spec", "hole", "path"),
    [
        ({"rules": [{"port": TEXT}]}, ("rules", 0, "port"), ("rules", 0, "host")),
        ({"rules": [{"host": TEXT, "port": "x"}]}, ("rules", 0, "host"), ("rules", 0, "port")),
        ({"target": {"port": TEXT}}, ("target", "port"), ("target", "host")),
        ({"nme": TEXT}, ("nme",), ("nme",)),
    ],
)
def test_what_no_interpolation_can_mend_is_not_forgiven(spec, hole, path):
    assert path in [it.path for it in find(spec, hole)]


def test_no_problem_tells_a_value():
    secret = "hunter2"
    assert [it.type for it in find({"password": Secret(secret)})] == ["value_error"]
    for name in SCHEMA["properties"]:
        for value in (secret, [secret], {secret[:3]: secret}, {"host": secret, "port": secret}):
            assert not any(secret in it.message for it in find({name: value})), name


def compile_text(text, kind=KIND):
    head = b"apiVersion: provisioning/v1\nkind: App\nmetadata: {name: a}\nspec:\n"
    return compile_manifest(head + text.encode(), "infra/x/a.yaml", {"App": kind})


def test_an_unknown_key_at_any_depth_is_told_with_the_nearest_name():
    with pytest.raises(InvalidWorkspace) as caught:
        compile_text("  name: a\n  siz: 1\n  rules:\n  - host: a\n    prt: 1\n  size: x\n")
    told = [(it.message, it.hint, it.source.line) for it in caught.value.problems]
    assert ("spec.siz: there is no such field", "did you mean 'size'?", 6) in told
    assert ("spec.rules[0].prt: there is no such field", "did you mean 'port'?", 9) in told
    assert next(it[:1] for it in told if "spec.size" in it[0]) == (
        "spec.size: must be a whole number or nothing, not text",
    )


def test_a_computed_field_below_cannot_be_stated():
    fields = (Field(name="disk.size", computed=True), Field(name="rules[].port", computed=True))
    with pytest.raises(InvalidWorkspace) as caught:
        compile_text(
            "  name: a\n  disk: {size: 1}\n  rules:\n  - {host: a, port: 1}\n", build(fields=fields)
        )
    assert [it.message for it in caught.value.problems] == [
        "spec.disk.size: is computed by the provider",
        "spec.rules[0].port: is computed by the provider",
    ]


def test_the_schema_of_manifests_has_it_with_what_its_fields_say():
    fields = (
        Field(name="password", sensitive=True),
        Field(name="disk.size", computed=True),
        Field(name="rules[].port", sensitive=True),
    )
    schema = compute_schema([build(fields=fields)])
    spec = schema["properties"]["spec"]
    assert spec["$id"] == "urn:provisioning:third:App"
    assert spec["$defs"] == SCHEMA["$defs"]
    assert spec["properties"]["provider"] == {"const": "third"}
    assert spec["properties"]["password"]["writeOnly"]
    disk = spec["properties"]["disk"]["anyOf"][0]
    assert disk["properties"]["size"]["readOnly"]
    port = spec["properties"]["rules"]["anyOf"][0]["items"]["properties"]["port"]
    assert port == {"$ref": "#/$defs/port", "writeOnly": True}
    assert "writeOnly" not in SCHEMA["properties"]["password"]


def test_computed_fields_are_not_known_to_manifests():
    kind = build(fields=(Field(name="size", computed=True), Field(name="disk.size", computed=True)))
    assert "size" not in kind.get_known_fields()
    assert kind.get_known_fields(("disk",)) == []
    assert kind.get_known_fields(("rules", 0)) == ["host", "port"]


# Schemas that nobody should trust


def nest(depth):
    schema = {"type": "string"}
    for _ in range(depth):
        schema = {"properties": {"a": schema}}
    return schema


def bomb(depth):
    """A schema that tries two branches at every level, each with two below."""
    defs = {
        f"d{at}": {"anyOf": [{"$ref": f"#/$defs/d{at + 1}"}, {"$ref": f"#/$defs/d{at + 1}"}]}
        for at in range(depth)
    }
    return {"$ref": "#/$defs/d0", "$defs": {**defs, f"d{depth}": False}}


def endless():
    schema = {}
    schema["properties"] = {"a": schema}
    return schema


HOSTILE = {
    "too deep": (lambda: nest(MAX_DEPTH), "deep"),
    "far too deep": (lambda: nest(200_000), "cannot be loaded|deep"),
    "without end": (endless, "cannot be loaded|deep"),
    "too many parts": (lambda: {"allOf": [{}] * MAX_PARTS}, "parts"),
    "a remote reference": (lambda: {"$ref": "https://example.com/a.json"}, "no path in itself"),
    "a file": (lambda: {"allOf": [{"$ref": "file:///etc/passwd"}]}, "no path in itself"),
    "a remote dynamic one": (lambda: {"$dynamicRef": "http://x/#a"}, "dynamicRef"),
    "a reference to nothing": (lambda: {"$ref": "#/$defs/none"}, "is not in it"),
    "a reference to itself": (lambda: {"$ref": "#"}, "without end|steps"),
    "a bomb": (lambda: bomb(60), "steps"),
    "a pattern with a look-around": (
        lambda: {"additionalProperties": {"pattern": "(?=a)"}},
        "line",
    ),
    "a huge pattern": (lambda: {"patternProperties": {"((a{999}){999}){999}": {}}}, "linear"),
    "patterns that are not ours to search": (
        lambda: {
            "$ref": "#/$defs/a",
            "$defs": {"a": {"patternProperties": {"a": {}}}},
            "unevaluatedProperties": False,
        },
        "unevaluatedProperties",
    ),
    "another base below": (lambda: {"properties": {"a": {"$id": "http://x"}}}, "uses .id inside"),
    "no schema": (lambda: {"type": "no-such-type"}, "no JSON Schema"),
    "another dialect": (lambda: {"$schema": "http://json-schema.org/draft-07/schema#"}, "dialect"),
    "no map": (list, "cannot be loaded"),
    "what raises": (lambda: {}["x"], "cannot be loaded: KeyError"),
}


@pytest.mark.parametrize(("load", "told"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_schema_is_blamed_on_its_kind_and_hangs_nothing(load, told):
    kind, began = Kind(name="App", provider="third", summary="", schema=load), time.monotonic()
    with pytest.raises(ProviderMisbehaved, match=f"kind App .*({told})"):
        kind.find_problems({"name": "a", "b": "b"}, set())
    assert time.monotonic() - began < 60


def test_a_pattern_takes_linear_time():
    kind = build({"properties": {"a": {"pattern": "^(a+)+$"}}})
    assert kind.find_problems({"a": "a" * 50_000 + "!"}, set()) == [
        Problem(("a",), "value_error", "Input should match '^(a+)+$'")
    ]


def test_a_kind_with_neither_is_blamed():
    with pytest.raises(ProvisioningError, match="kind App has neither"):
        Kind(name="App", provider="third", summary="").find_problems({}, set())


def test_the_library_is_imported_only_for_such_a_kind():
    program = (
        "import sys, pydantic\n"
        "from provisioning.core.model.kinds import Kind\n"
        "model = pydantic.create_model('Spec')\n"
        "kind = Kind(name='App', provider='third', summary='', model=lambda: model)\n"
        "assert kind.find_problems({}, set()) == []\n"
        "assert 'jsonschema' not in sys.modules\n"
        "Kind(name='App', provider='third', summary='', schema=dict).find_problems({}, set())\n"
        "assert 'jsonschema' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)

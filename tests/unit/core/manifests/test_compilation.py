from __future__ import annotations

import json

import pytest

from provisioning.core.manifests.compilation import compile_manifest
from provisioning.core.model.errors import InvalidManifest, InvalidWorkspace, Source
from provisioning.core.model.resources import (
    DeletePolicy,
    DriftPolicy,
    Lifecycle,
    Resource,
    Templated,
)

WHOLE = """\
# the site
apiVersion: provisioning/v1
kind: Service
metadata:
  name: web-1
  labels: {tier: web, zone: "1"}
spec:
  provider: local
  command:
  - serve
  - "{{resources.Value/port.output}}"
  ready: {tcp: "{{resources.Value/port.output}}"}
  content: "{{resources.Service/db.id}} at {{env.HOST}} {{{{ }}"
lifecycle: {protect: true, drift: detect, onDelete: retain}
dependsOn: [Value/lan, Value/port, Value/lan]
moved: {from: Service/old}
"""


def test_a_manifest_becomes_a_resource(compile_text):
    """Everything written in it is found in the resource, with its lines."""
    assert compile_text(WHOLE) == (
        Resource(
            id="Service/web-1",
            kind="Service",
            provider="local",
            source=Source("infra/web/a.yaml", 2),
            spec={
                "command": ["serve", "{{resources.Value/port.output}}"],
                "ready": {"tcp": "{{resources.Value/port.output}}"},
                "content": "{{resources.Service/db.id}} at {{env.HOST}} {{{{ }}",
            },
            labels={"tier": "web", "zone": "1"},
            lifecycle=Lifecycle(
                protect=True, drift=DriftPolicy.DETECT, on_delete=DeletePolicy.RETAIN
            ),
            depends_on=("Value/lan", "Value/port"),
            references=("Value/port", "Service/db"),
            moved_from="Service/old",
            templated=(
                Templated(("command", 1), 11),
                Templated(("ready", "tcp"), 12),
                Templated(("content",), 13),
            ),
            lines={"command": 9, "ready": 12, "content": 13},
        ),
    )


def test_what_is_left_out_or_left_empty_has_its_default(compile_text):
    """Only apiVersion, kind and a name are asked of every manifest."""
    text = "apiVersion: provisioning/v1\nkind: Value\nmetadata: {name: a}\n"
    empty = "spec:\nlifecycle:\ndependsOn:\nmoved:\n"

    assert compile_text(text) == compile_text(text + empty)
    assert compile_text(text)[0].lifecycle == Lifecycle()
    assert compile_text(text)[0].spec == {}


def test_every_format_gives_the_same_resources(compile_text, kinds):
    """YAML, TOML and JSON differ in nothing but their files and lines."""

    def read(data, file):
        return [
            (each.id, each.spec, each.labels, each.references)
            for each in compile_manifest(data, file, kinds)
        ]

    trees = [
        {
            "apiVersion": "provisioning/v1",
            "kind": "Value",
            "metadata": {"name": name, "labels": {"a": "b"}},
            "spec": {"input": {"x": [1, 2.5, True, "{{resources.Value/z.output}}"]}},
        }
        for name in ("a", "b")
    ]
    in_json = json.dumps(trees).encode()
    in_yaml = "\n---\n".join(map(json.dumps, trees)).encode()
    in_toml = "".join(
        '[[resources]]\napiVersion = "provisioning/v1"\nkind = "Value"\n'
        f'metadata = {{name = "{name}", labels = {{a = "b"}}}}\n'
        '[resources.spec.input]\nx = [1, 2.5, true, "{{resources.Value/z.output}}"]\n'
        for name in ("a", "b")
    ).encode()

    assert read(in_json, "a.json") == read(in_yaml, "a.yml") == read(in_toml, "a.toml")
    assert [each[0] for each in read(in_json, "a.json")] == ["Value/a", "Value/b"]


VALUE = "apiVersion: provisioning/v1\nkind: Value\nmetadata: {name: a}\n"
SERVICE = "apiVersion: provisioning/v1\nkind: Service\nmetadata: {name: a}\nspec:\n"

WRONG = {
    "a list": ("- a\n", 1, "a manifest is a map, not a list", "begin it with apiVersion"),
    "a text": ("\nhello\n", 2, "a manifest is a map, not text", "begin it with"),
    "something else": ("a: 1\n", 1, "this is not a manifest", "begin it with"),
    "no apiVersion": ("kind: Value\nmetadata: {name: a}\n", 1, "apiVersion: is missing", "write"),
    "another apiVersion": (
        VALUE.replace("provisioning/v1", "apps/v1"),
        1,
        "apiVersion: is not one of ours",
        "write apiVersion: provisioning/v1",
    ),
    "no kind": (VALUE.replace("kind: Value\n", ""), 1, "kind: is missing", "Service, Value"),
    "unknown kind": (VALUE.replace("Value", "value"), 2, "there is no kind 'value'", "'Value'?"),
    "kind of no likeness": (VALUE.replace("Value", "Xyz"), 2, "'Xyz'", "known: Service, Value"),
    "kind is a number": (VALUE.replace("Value", "1"), 2, "kind: must be text", "Service, Value"),
    "unknown key": (VALUE + "dependOn: []\n", 4, "dependOn: there is no such key", "'dependsOn'"),
    "no name": (VALUE.replace("name: a", ""), 3, "metadata.name: is missing", "small letters"),
    "no metadata": (VALUE.replace("metadata: {name: a}\n", ""), 1, "name: is missing", "small"),
    "metadata is a list": (VALUE.replace("{name: a}", "[a]"), 3, "must be a map, not a list", None),
    "bad name": (VALUE.replace("name: a", "name: Web.1"), 3, "'Web.1' is not a name", "small"),
    "long name": (VALUE.replace("name: a", f"name: {'a' * 64}"), 3, "is not a name", "63"),
    "name is a number": (VALUE.replace("name: a", "name: 1"), 3, "not a whole number", "small"),
    "unknown metadata": (
        VALUE.replace("name: a", "name: a, label: {}"),
        3,
        "metadata.label: there is no such key",
        "'labels'",
    ),
    "label is a number": (
        VALUE.replace("name: a", "name: a, labels: {tier: 1}"),
        3,
        "metadata.labels.tier: must be text, not a whole number",
        "quotes",
    ),
    "spec is a list": (VALUE + "spec: [a]\n", 4, "spec: must be a map, not a list", None),
    "unknown policy": (
        VALUE + "lifecycle:\n  drift: corect\n",
        5,
        "lifecycle.drift: must be one of ignore, detect, pr, correct",
        "'correct'",
    ),
    "policy is a boolean": (
        VALUE + "lifecycle: {onDelete: true}\n",
        4,
        "lifecycle.onDelete: must be one of delete, retain",
        "delete, retain",
    ),
    "protect is a word": (
        VALUE + "lifecycle: {protect: yes}\n",
        4,
        "lifecycle.protect: must be true or false, not text",
        None,
    ),
    "unknown lifecycle": (VALUE + "lifecycle: {ondelete: x}\n", 4, "ondelete", "'onDelete'"),
    "dependsOn is a text": (VALUE + "dependsOn: Value/b\n", 4, "must be a list, not text", "[Kind"),
    "dependsOn is no id": (VALUE + "dependsOn:\n- b\n", 5, "dependsOn[0]: 'b' is not", "Kind/name"),
    "dependsOn is nothing": (VALUE + "dependsOn: [~]\n", 4, "not nothing", "Kind/name"),
    "moved from another kind": (
        VALUE + "moved: {from: Service/b}\n",
        4,
        "moved.from: Service/b is of another kind than Value",
        "keeps its kind",
    ),
    "moved from nowhere": (VALUE + "moved: {}\n", 4, "moved.from: must be an id", "Kind/name"),
    "moved to": (VALUE + "moved: {from: Value/b, to: x}\n", 4, "moved.to: there is no", "from"),
    "computed": (VALUE + "spec:\n  output: 1\n", 5, "spec.output: is computed", "remove"),
    "another provider": (
        VALUE + "spec:\n  provider: locla\n",
        5,
        "spec.provider: 'locla' does not provide Value",
        "'local'?",
    ),
    "provider is a list": (VALUE + "spec: {provider: []}\n", 4, "must be text, not a list", None),
    "unknown field": (VALUE + "spec:\n  imput: 1\n", 5, "spec.imput: there is no", "'input'?"),
    "unknown deep field": (
        SERVICE + "  command: []\n  ready:\n    tcp: 1\n    tpc: 1\n",
        8,
        "spec.ready.tpc: there is no such field",
        "did you mean 'tcp'?",
    ),
    "missing field": (SERVICE + "  cpus: 1\n", 4, "spec.command: is missing", "schema Service"),
    "missing deep field": (
        SERVICE + "  command: []\n  ready: {timeout: 1.5}\n",
        6,
        "spec.ready.tcp: is missing",
        "schema",
    ),
    "wrong type": (
        SERVICE + "  command: []\n  cpus: '2'\n",
        6,
        "spec.cpus: must be a whole number, not text",
        "schema",
    ),
    "wrong type in a list": (
        SERVICE + "  command:\n  - a\n  - 8080\n",
        7,
        "spec.command[1]: must be text, not a whole number",
        "schema",
    ),
    "wrong type for a union": (
        SERVICE + "  command: []\n  ready: {tcp: [1]}\n",
        6,
        "spec.ready.tcp: must be a whole number or text, not a list",
        "schema",
    ),
    "wrong type for a map": (
        SERVICE + "  command: []\n  ready: 8080\n",
        6,
        "spec.ready: must be a map, not a whole number",
        "schema",
    ),
    "unknown choice": (
        SERVICE + "  command: []\n  restart: allways\n",
        6,
        "spec.restart: must be 'always', 'on-failure' or 'never'",
        "'always'?",
    ),
    "fields that exclude each other": (
        SERVICE + "  command: []\n  source: a\n  content: b\n",
        4,
        "spec: give source or content, not both",
        "schema",
    ),
    "unknown namespace": (VALUE + "spec:\n  input: '{{evn.X}}'\n", 5, "'evn'", "'env'?"),
    "open interpolation": (
        VALUE + "spec:\n  input:\n  - 'a {{env.X'\n",
        6,
        "spec.input[0]: an interpolation is not closed",
        "}}",
    ),
    **{
        f"interpolation in {place}": (text, line, f"{place}: must be written out", "below spec")
        for place, text, line in (
            ("kind", VALUE.replace("Value", "'{{env.K}}'"), 2),
            ("metadata.name", VALUE.replace("name: a", "name: '{{env.N}}'"), 3),
            ("metadata.labels.x", VALUE.replace("name: a", "name: a, labels: {x: '{{env.L}}'}"), 3),
            ("lifecycle.drift", VALUE + "lifecycle: {drift: '{{env.D}}'}\n", 4),
            ("dependsOn[0]", VALUE + "dependsOn: ['{{resources.Value/b}}']\n", 4),
            ("moved.from", VALUE + "moved: {from: '{{env.M}}'}\n", 4),
        )
    },
    "interpolated provider": (VALUE + "spec: {provider: '{{env.P}}'}\n", 4, "does not provide", ""),
}


@pytest.mark.parametrize(("text", "line", "message", "hint"), list(WRONG.values()), ids=list(WRONG))
def test_one_mistake_gives_one_error(find_problems, text, line, message, hint):
    """It says in plain words what is wrong and on which line, and what to write instead."""
    ((found_line, found_message, found_hint),) = find_problems(text)

    assert found_line == line
    assert message in found_message
    assert hint in found_hint if hint is not None else found_hint is None


def test_every_mistake_of_a_file_is_told_at_once(compile_text):
    """They come in reading order, from all documents."""
    with pytest.raises(InvalidWorkspace) as caught:
        compile_text(
            SERVICE + "  cpus: x\n  comand: []\n  ready: {tcp: '{{oops}}'}\n"
            "lifecycle: {protect: 1}\n---\nkind: Nothing\n"
        )

    assert [str(each).partition(": ")[2] for each in caught.value.problems] == [
        "spec.command: is missing",
        "spec.cpus: must be a whole number, not text",
        "spec.comand: there is no such field",
        "spec.ready.tcp: unknown namespace 'oops' in {{oops}}",
        "lifecycle.protect: must be true or false, not a whole number",
        "apiVersion: is missing",
        "kind: there is no kind 'Nothing'",
        "metadata.name: is missing",
    ]


def test_a_name_stands_once_in_a_file(find_problems):
    """The error names both lines; the same name of another kind is another resource."""
    other = VALUE.replace("Value", "Service") + "spec: {command: []}\n"

    assert find_problems(f"{VALUE}---\n{other}---\n{VALUE}") == [
        (
            10,
            "Value/a is declared twice, first on line 1",
            "rename or remove one of them",
        )
    ]


def test_an_interpolation_may_stand_for_a_value_of_any_type(compile_text):
    """Its type is checked when its value is known."""
    (resource,) = compile_text(SERVICE + "  command: '{{resources.Value/c.output}}'\n  cpus: 2\n")

    assert resource.references == ("Value/c",)


def test_a_reference_to_another_infra_orders_infras_and_not_resources(compile_text):
    """It is no dependency within this infra."""
    (resource,) = compile_text(VALUE + "spec: {input: '{{infra.net.Network/lan.id}}'}\n")

    assert (resource.references, len(resource.templated)) == ((), 1)


def test_a_value_is_never_repeated_in_an_error(find_problems):
    """It could be a secret someone wrote into the wrong field."""
    problems = find_problems(
        SERVICE + "  command: hunter2\n  cpus: hunter2\n  restart: hunter2\n  ready: hunter2\n"
    )

    assert len(problems) == 4
    assert "hunter2" not in str(problems)


def test_lines_of_a_toml_manifest_are_told(find_problems):
    """A mistake below a table is found on its own line."""
    text = (
        'apiVersion = "provisioning/v1"\nkind = "Service"\nmetadata.name = "a"\n'
        '[spec]\ncommand = ["x"]\n[spec.ready]\ntcp = 1\ntpc = 2\n'
    )

    assert [each[:2] for each in find_problems(text, "a.toml")] == [
        (8, "spec.ready.tpc: there is no such field")
    ]


def test_a_broken_file_is_told_by_its_parser(compile_text):
    """The suffix decides which one reads it."""
    for file, message in (("a.yml", "not YAML"), ("a.toml", "not TOML"), ("a.json", "not JSON")):
        with pytest.raises(InvalidManifest, match=message):
            compile_text("a: b: c", file)

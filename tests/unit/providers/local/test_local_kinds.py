import subprocess
import sys

import pytest

from provisioning.core.model.values import Unknown
from provisioning.providers import Kind
from provisioning.providers.local.kinds import (
    DIRECTORY,
    FILE,
    KINDS,
    PROCESS,
    VALUE,
    expand_process,
)

GOOD = [
    (FILE, {"path": "a/b", "content": ""}),
    (FILE, {"path": "/srv/x", "source": "files/x", "mode": "0644", "owner": "root", "group": "0"}),
    (FILE, {"path": "x", "template": "t.j2", "vars": {"a": [1, {"b": None}]}}),
    (DIRECTORY, {"path": "a", "mode": "1777"}),
    (PROCESS, {"command": ["true"]}),
    (PROCESS, {"command": ["a", ""], "env": {"A_1": ""}, "cwd": ".", "restart": "on-failure"}),
    (PROCESS, {"command": ["a"], "stop": {"signal": "INT", "grace": 0}, "ready": {"tcp": 80}}),
    (PROCESS, {"command": ["a"], "ready": {"http": "http://localhost/"}, "timeout": 1}),
    (PROCESS, {"command": ["a"], "ready": {"exec": ["true"]}}),
    (VALUE, {}),
    (VALUE, {"input": None, "triggers": [1, {"a": "b"}]}),
]

BAD = [
    (FILE, {"path": "x"}, "exactly one of content, template and source"),
    (FILE, {"path": "x", "content": "", "source": "y"}, "exactly one of"),
    (FILE, {"path": "x", "content": None}, "valid string"),
    (FILE, {"path": "x", "content": "", "vars": {}}, "vars are for a template"),
    (FILE, {"path": "../x", "content": ""}, "leads out"),
    (FILE, {"path": "", "content": ""}, "is empty"),
    (FILE, {"path": "./", "content": ""}, "names a root itself"),
    (FILE, {"path": "a\0", "content": ""}, "NUL"),
    (FILE, {"path": "x", "content": "", "mode": "644"}, "match pattern"),
    (FILE, {"path": "x", "content": "", "mode": 420}, "valid string"),
    (DIRECTORY, {"path": "x", "mode": "0888"}, "match pattern"),
    (DIRECTORY, {"path": "x", "owner": ""}, "at least 1 character"),
    (PROCESS, {"command": []}, "at least 1 item"),
    (PROCESS, {"command": [""]}, "names no program"),
    (PROCESS, {"command": ["a\0"]}, "NUL"),
    (PROCESS, {"command": "sleep 1"}, "valid list"),
    (PROCESS, {"command": ["a"], "env": {"A=B": ""}}, "match pattern"),
    (PROCESS, {"command": ["a"], "env": {"PROVISIONING_MARK": ""}}, "are ours"),
    (PROCESS, {"command": ["a"], "env": {"A": 1}}, "valid string"),
    (PROCESS, {"command": ["a"], "cwd": "../b"}, "leads out"),
    (PROCESS, {"command": ["a"], "restart": "sometimes"}, "'always', 'on-failure' or 'never'"),
    (PROCESS, {"command": ["a"], "stop": {"signal": "SIGTERM"}}, "'TERM'"),
    (PROCESS, {"command": ["a"], "stop": {"grace": -1}}, "greater than or equal to 0"),
    (PROCESS, {"command": ["a"], "ready": {}}, "exactly one of tcp, http and exec"),
    (PROCESS, {"command": ["a"], "ready": {"tcp": 0}}, "greater than or equal to 1"),
    (PROCESS, {"command": ["a"], "ready": {"http": "localhost"}}, "match pattern"),
    (PROCESS, {"command": ["a"], "timeout": 0}, "greater than 0"),
    (VALUE, {"output": 1}, "not permitted"),
]


@pytest.mark.parametrize(("kind", "spec"), GOOD)
def test_what_a_manifest_may_say(kind, spec):
    """The fields of DESIGN section 5 are taken as they are."""
    assert kind.find_problems(spec, set()) == []


@pytest.mark.parametrize(("kind", "spec", "message"), BAD)
def test_what_a_manifest_may_not_say(kind, spec, message):
    """What cannot be meant is one problem, with a message that says what is expected."""
    (problem,) = kind.find_problems(spec, set())
    assert message in problem.message


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_kinds_have_a_schema(kind: Kind):
    """Every model exports a JSON Schema that refuses unknown fields."""
    schema = kind.model().model_json_schema()
    assert schema["additionalProperties"] is False
    assert not {field.name for field in kind.fields if field.computed} & {*schema["properties"]}


def test_process_defaults_are_filled_in():
    """Leaving a default out and stating it come to the same."""
    spec = expand_process({"command": ["a"], "stop": {"grace": 3}}, {})
    assert spec["stop"] == {"signal": "TERM", "grace": 3}
    assert expand_process(spec, {}) == spec


def test_unknown_stays_unknown():
    """What is not known yet is left alone."""
    spec = {"command": [Unknown("a")], "stop": Unknown("b"), "restart": Unknown("c")}
    assert expand_process(spec, {}).items() >= spec.items()


def test_nothing_heavy_is_imported():
    """Building the provider loads neither Pydantic nor Jinja2: start-up time is a feature."""
    script = (
        "import sys; from pathlib import Path; from provisioning.providers.local import *;"
        "LocalProvider(Path('/r'), Path('/h')).describe();"
        "print({'pydantic', 'jinja2', 'ctypes', 'http.client'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert done.stdout == "set()\n"

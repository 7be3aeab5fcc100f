"""Whom a run of another infra concerns."""

import msgspec
import pytest

from provisioning.core.infras.dependencies import compute_links
from provisioning.core.infras.dependents import list_readers
from provisioning.core.manifests.compilation import compile_manifest
from provisioning.core.model.errors import Source
from provisioning.core.model.records import Record
from provisioning.core.model.values import Omitted
from provisioning.providers.local.kinds import KINDS

KINDS_BY_NAME = {kind.name: kind for kind in KINDS}
LAN = Record(
    id="Value/lan",
    kind="Value",
    provider="local",
    spec={"input": {"name": "lan", "size": 4}},
    attributes={"output": {"name": "lan", "size": 4}},
    run="1-aaaaaa",
    operation=1,
    source=Source("a.yaml", 1),
)


SETTINGS = {"values.lan": ["infra.net.Value/lan.output.size"]}


def compile_value(text, more=""):
    manifest = (
        "apiVersion: provisioning/v1\nkind: Value\nmetadata: {name: v}\n"
        f"spec: {{input: '{text}'}}\n{more}"
    )
    found = compile_manifest(manifest.encode(), "b.yaml", KINDS_BY_NAME)
    return compute_links(found, lambda: SETTINGS)


LINKS = {
    "api": compile_value("{{infra.net.Value/lan.output.name}}"),
    "set": compile_value("{{config.values.lan}}"),
    "web": compile_value("{{infra.net.Value/lan.output.size}}"),
    "dns": compile_value("{{infra.zone.Value/lan.output.size}}"),
    "new": compile_value("", "moved: {from: Value/old, infra: net}\n"),
    "net": compile_value("{{infra.zone.Value/lan.output}}"),
}


def find_readers(before, after):
    return list_readers("net", LINKS, {"Value/lan": before}.get, {"Value/lan": after}.get)


def change(**fields):
    return msgspec.structs.replace(
        LAN, attributes={"output": {**LAN.attributes["output"], **fields}}
    )


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (LAN, LAN, []),
        (LAN, change(other=1), []),
        (LAN, change(size=8), ["set", "web"]),
        (LAN, change(size=8, name="wan"), ["api", "set", "web"]),
        (None, LAN, ["api", "set", "web"]),
        (LAN, None, ["api", "set", "web"]),
        (LAN, msgspec.structs.replace(LAN, run="2-bbbbbb"), []),
        (
            LAN,
            msgspec.structs.replace(LAN, attributes={"output": Omitted("0", 9)}),
            ["api", "set", "web"],
        ),
    ],
)
def test_who_reads_what_changed_is_concerned(before, after, found):
    """Each by its own fields; who takes resources from it always is."""
    assert find_readers(before, after) == [*found, "new"]


def test_who_gives_resources_to_it_is_concerned():
    """What was taken over can be let go there."""
    assert list_readers("new", LINKS, {}.get, {}.get) == ["net"]

"""Targets that people write: manifests, settings, interpolations, templates."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from properties import find_depth, hold, hold_same, read_or_refuse, split_files, stored

from provisioning.config.layer_reader import read_text
from provisioning.config.layers import load_layers
from provisioning.config.registry import load_settings
from provisioning.config.scope import Scope
from provisioning.core.expressions.interpolation import (
    Reference,
    parse_text,
    resolve_partly,
    resolve_text,
)
from provisioning.core.expressions.references import know_nothing
from provisioning.core.formats.documents import MAX_DEPTH, ManifestDocument
from provisioning.core.formats.json import parse_json
from provisioning.core.formats.toml import parse_toml
from provisioning.core.formats.yaml import parse_yaml
from provisioning.core.manifests.compilation import compile_manifest
from provisioning.core.model.errors import ProvisioningError, Source
from provisioning.core.model.values import Tree, render_canonical
from provisioning.localstore.manifest_cache import (
    ManifestSnapshot,
    load_snapshot,
    pack_file,
)
from provisioning.localstore.plan_cache import save_cache
from provisioning.providers.local.files.templates import expand_file
from provisioning.providers.local.kinds import KINDS as ALL_KINDS

KINDS = {each.name: each for each in ALL_KINDS}
Parse = Callable[[bytes, str], list[ManifestDocument]]


def check_yaml(data: bytes) -> None:
    """YAML says only what JSON can say too, and a manifest in it compiles or is refused."""
    _check_manifest(data, "a.yaml", parse_yaml)


def check_toml(data: bytes) -> None:
    """TOML says only what JSON can say too, and a manifest in it compiles or is refused."""
    _check_manifest(data, "a.toml", parse_toml)


def check_json(data: bytes) -> None:
    """JSON is read back as it was, and a manifest in it compiles or is refused."""
    _check_manifest(data, "a.json", parse_json)


def _check_manifest(data: bytes, file: str, parse: Parse) -> None:
    for document in read_or_refuse(lambda: parse(data, file), in_text=data) or ():
        _check_document(document, len(data.splitlines()) + 1)
    resources = read_or_refuse(lambda: compile_manifest(data, file, KINDS, _look_up), in_text=data)
    for each in resources or ():
        render_canonical(each.spec)
    snapshot = ManifestSnapshot("1", "tree", {file: pack_file("blob", resources or (), {})})
    with stored(b"") as path:
        save_cache(path, snapshot)
        kept = load_snapshot(path, "1").files[file].unpack()
        hold_same(kept, resources or (), "the cache gives something else")


def _look_up(reference: Reference, source: Source) -> Tree:
    """Answer the settings that `when` and `forEach` name by the last word of the reference."""
    if reference.steps and reference.steps[-1] in GIVEN:
        return GIVEN[reference.steps[-1]]
    return know_nothing(reference, source)


GIVEN: dict[str, Tree] = {
    "on": True,
    "stage": "prod",
    "sites": {"a": {"port": 80, "name": "{{env.A}}"}, "b": {"port": "{{{{", "name": ["x"]}},
    "names": {"a": "text", "": None, "A/b": 1.5},
}


def _check_document(document: ManifestDocument, last: int) -> None:
    lines = [document.line, *document.lines.values()]
    hold(all(1 <= line <= last for line in lines), f"lines outside of the file: {lines}")
    hold(find_depth(document.tree) <= MAX_DEPTH, "nested too deep")
    text = json.dumps({"root": document.tree}, ensure_ascii=False).encode()
    if find_depth(document.tree) < MAX_DEPTH:
        (again,) = parse_json(text, "a.json")
        hold_same(again.tree["root"], document.tree, "as JSON it is something else")


def check_settings(data: bytes) -> None:
    """Files of settings load or are refused by line, and every value can be asked for.

    An input is several files, each below a line `=== PATH`.
    """
    files = split_files(data)
    layers = read_or_refuse(
        lambda: load_layers(
            files.get,
            home=NOWHERE,
            infra="web",
            environ=ENVIRON,
            flags=files.get("flags", b"").decode(errors="replace").splitlines(),
            facts={"git": {"branch": "main"}, "now": {"date": "2026-01-02"}},
        )
    )
    if layers is None:
        return
    hold_same(json.loads(json.dumps(layers.merge())), layers.merge(), "settings as JSON")
    scope = Scope(layers=layers, environ=ENVIRON, facts={})
    for key in layers.list_keys():
        hold(layers.explain(key), f"nothing explains {key}")
        value = read_or_refuse(lambda key=key: scope.resolve_setting(key))
        json.dumps(value, ensure_ascii=False).encode()


NOWHERE = Path("/proc/nowhere")
"""A home in which nothing can be kept, so that each input is read and no file is left."""

ENVIRON = {"USER": "ana", "RAW": "\udcff", "PROVISIONING_LOCK__TTL": "60"}


def check_text_settings(data: bytes) -> None:
    """A variable's or a flag's text is a value for every setting, or refused."""
    text = data.decode(errors="surrogateescape")
    for key in {each.type: each.key for each in load_settings().values()}.values():
        value = read_or_refuse(lambda key=key: read_text(key, text, "-c"))
        written = json.dumps(value, ensure_ascii=False).encode()
        hold_same(json.loads(written), value, "a value that JSON cannot hold")


def check_interpolation(data: bytes) -> None:
    """What is parsed can be written and parsed again; two steps resolve to what one does."""
    text = data.decode(errors="replace")
    source = Source("a.yaml", 1)
    parts = read_or_refuse(lambda: parse_text(text, source), in_text=b"")
    if parts is None:
        return
    written = "".join(
        each.replace("{{", "{{{{") if isinstance(each, str) else f"{{{{{each}}}}}" for each in parts
    )
    hold_same(_resolve(written), _resolve(text), f"written as {written!r}")
    partly = resolve_partly(text, _answer_static)
    hold_same(_resolve(partly), _resolve(text), f"in two steps, by {partly!r}")


def _resolve(text: str) -> Tree:
    try:
        return str(resolve_text(text, _answer))
    except ProvisioningError as exc:
        return exc.message


def _answer(reference: Reference) -> Tree:
    return f"<{reference}>" if reference.resource else _answer_static(reference)


def _answer_static(reference: Reference) -> Tree:
    """Answer with text in which L and R are braces, for they are what goes wrong."""
    if reference.resource:
        return reference
    return reference.steps[-1].replace("L", "{").replace("R", "}")


def check_template(data: bytes) -> None:
    """A template gives text that can be written down, at a bounded cost, or is refused by line."""
    spec = {
        "path": "a",
        "template": "a.j2",
        "vars": {"name": "ana", "ports": [80, 443], "on": True},
    }
    expanded = read_or_refuse(lambda: expand_file(dict(spec), {"a.j2": data}), in_text=data)
    if expanded:
        expanded["content"].encode()
        hold(" at 0x" not in expanded["content"] or b"x" in data, "it shows an address")

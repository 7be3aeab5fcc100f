"""`.sops.yaml`: which keys encrypt which new files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from sops_python.errors import SopsError
from sops_python.files import Indents
from sops_python.go_regex import InvalidPattern, compile_pattern
from sops_python.keys import names
from sops_python.metadata import KeyGroup, MasterKey
from sops_python.selection import RULES, Selection
from sops_python.tree import as_plain

FILE_NAME = ".sops.yaml"
_NEAR_MISS = ".sops.yml"


class Rule(msgspec.Struct, frozen=True):
    """The keys and the encrypted values that a creation rule gives a new file."""

    groups: tuple[KeyGroup, ...]
    rules: Mapping[str, str]
    threshold: int = 0
    mac_only_encrypted: bool = False

    @property
    def selection(self) -> Selection:
        """The choice of encrypted values."""
        return Selection.build(self.rules, only_encrypted=self.mac_only_encrypted)


class Rules(msgspec.Struct, frozen=True):
    """A `.sops.yaml` that was read."""

    path: Path
    data: Mapping[str, Any]

    @property
    def indents(self) -> Indents:
        """How each format is indented."""
        stores = _read_map(self.data, "stores")

        def read(name: str) -> int | None:
            indent = _read_map(stores, name).get("indent")
            if indent is not None and not isinstance(indent, int):
                raise SopsError(
                    f"{self.path}: stores.{name}.indent is no number of spaces",
                    hint="write a number",
                )
            return indent

        return Indents(yaml=read("yaml"), json=read("json"), json_binary=read("json_binary"))

    def has_pattern_for(self, name: str) -> bool:
        """Return whether the `path_regex` of a creation rule is found in the file *name*.

        Raises:
            SopsError: If one is no expression.
        """
        rules = [rule for rule in self.data.get("creation_rules") or () if isinstance(rule, dict)]
        return any(rule.get("path_regex") and fits(rule, name, str(self.path)) for rule in rules)

    def find_rule(self, path: Path, context: names.Context | None = None) -> Rule | None:
        """Return the first rule that fits *path*; None if the file has no rules at all.

        Args:
            path: The file's absolute path.
            context: The KMS encryption context of keys outside of groups.

        Raises:
            SopsError: If rules exist and none fits, or the one that fits is wrong.
            KeyUnusable: If it names a key that is none.
        """
        rules = self.data.get("creation_rules")
        if rules is None:
            return None
        folder = f"{self.path.parent.resolve()}{os.sep}"
        name = str(path).removeprefix(folder)
        for number, rule in enumerate(rules, 1):
            where = f"{self.path}: creation rule {number}"
            if not isinstance(rule, dict):
                raise SopsError(f"{where} is no mapping", hint="write `- path_regex: …`")
            if fits(rule, name, where):
                return build_rule(rule, where, context)
        raise SopsError(
            f"error loading config: no matching creation rules found for {name} in {self.path}",
            hint="add a rule whose path_regex fits, or one without path_regex as the last",
        )


def find_file(start: Path) -> Path | None:
    """Return the nearest `.sops.yaml` in *start* or above it."""
    for folder in (start, *start.parents):
        if (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
    return None


def describe_near_miss(start: Path) -> str:
    """Return the warning that a `.sops.yml` is not read, if there is one; else ""."""
    for folder in (start, *start.parents):
        if (folder / _NEAR_MISS).is_file():
            return f"ignoring {folder / _NEAR_MISS}; the config file must be called {FILE_NAME}"
    return ""


def load_rules(path: Path) -> Rules:
    """Read the `.sops.yaml` at *path*.

    Raises:
        SopsError: If it cannot be read, or is no mapping.
    """
    try:
        return parse_rules(path.read_bytes(), path)
    except OSError as exc:
        raise SopsError(
            f"could not read config file {path}: {exc.strerror}",
            hint="pass --config",
        ) from exc


def parse_rules(data: bytes, path: Path) -> Rules:
    """Return the rules in *data*, the content of *path*.

    Raises:
        SopsError: If it is not YAML, or no mapping.
    """
    from sops_python.stores.yaml.reader import load_documents

    try:
        documents = load_documents(data.decode())
    except (SopsError, UnicodeDecodeError) as exc:
        raise SopsError(
            f"error loading config: {path} cannot be read: {exc}", hint="correct it"
        ) from exc
    tree = _merge(as_plain(documents[0])) if documents else {}
    rules = tree.get("creation_rules")
    if rules is not None and not isinstance(rules, list):
        raise SopsError(
            f"error loading config: {path}: creation_rules is no list", hint="write `- age: …`"
        )
    return Rules(path, tree)


def _merge(tree: Any) -> Any:
    """Return *tree* with the maps that YAML's merge keys (`<<`) name taken in."""
    match tree:
        case dict():
            others = tree.get("<<") or ()
            merged: dict[str, Any] = {}
            for other in reversed(others if isinstance(others, list) else [others]):
                merged |= _merge(other) if isinstance(other, dict) else {}
            return merged | {key: _merge(value) for key, value in tree.items() if key != "<<"}
        case list():
            return [_merge(item) for item in tree]
    return tree


def _read_map(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = data.get(name)
    return found if isinstance(found, dict) else {}


def fits(rule: Mapping[str, Any], name: str, where: str) -> bool:
    """Return whether *rule*, which stands at *where*, is for the file *name*.

    Raises:
        SopsError: If its `path_regex` is no expression.
    """
    pattern = rule.get("path_regex") or ""
    try:
        return compile_pattern(str(pattern))(name)
    except InvalidPattern as exc:
        raise SopsError(
            f"{where}: can not compile regexp {pattern!r}: {exc}",
            hint=exc.hint or "correct path_regex",
        ) from exc


def build_rule(rule: dict[str, Any], where: str, context: names.Context | None = None) -> Rule:
    """Return what *rule*, which stands at *where*, says: its keys, and what is encrypted.

    Raises:
        SopsError: If it contradicts itself, or is not written as a rule.
        KeyUnusable: If it names a key that is none.
    """
    groups = rule.get("key_groups")
    built = (
        tuple(_remove_doubles(_read_group(group, where)) for group in groups)
        if groups
        else (tuple(_read_flat(rule, where, context)),)
    )
    try:
        Selection.build({name: str(rule.get(name) or "") for name in RULES})
        threshold = int(rule.get("shamir_threshold") or 0)
    except (SopsError, ValueError, TypeError) as exc:
        raise SopsError(f"error loading config: {where}: {exc}", hint="correct it") from exc
    return Rule(
        groups=built,
        rules={name: str(rule[name]) for name in RULES if rule.get(name)},
        threshold=threshold,
        mac_only_encrypted=bool(rule.get("mac_only_encrypted")),
    )


def _read_flat(
    rule: dict[str, Any], where: str, context: names.Context | None
) -> Iterator[MasterKey]:
    """Yield the keys of a rule without groups."""
    yield from names.name_age(_read_list(rule, "age", where))
    yield from names.name_pgp(_read_list(rule, "pgp", where))
    profile = str(rule.get("aws_profile") or "")
    yield from names.name_kms(_read_list(rule, "kms", where), context, profile)
    yield from names.name_gcp(_read_list(rule, "gcp_kms", where))
    yield from names.name_huawei(_read_list(rule, "hckms", where))
    yield from names.name_azure(_read_list(rule, "azure_keyvault", where))
    yield from names.name_vault(_read_list(rule, "hc_vault_transit_uri", where))


def _read_group(group: Any, where: str) -> Iterator[MasterKey]:
    """Yield the keys of a key group, those of the groups it merges first."""
    if not isinstance(group, dict):
        raise SopsError(f"error loading config: {where}: a key group is no mapping")
    for other in group.get("merge") or ():
        yield from _read_group(other, where)
    yield from names.name_age(
        part for text in _read_list(group, "age", where) for part in names.split_list(text)
    )
    yield from names.name_pgp(_read_list(group, "pgp", where))
    for entry in _read_entries(group, "kms", where):
        yield from names.name_kms(
            [str(entry.get("arn") or "")],
            entry.get("context"),
            str(entry.get("aws_profile") or ""),
            str(entry.get("role") or ""),
        )
    entries = _read_entries(group, "gcp_kms", where)
    yield from names.name_gcp(str(item.get("resource_id") or "") for item in entries)
    entries = _read_entries(group, "hckms", where)
    yield from names.name_huawei(str(item.get("key_id") or "") for item in entries)
    for entry in _read_entries(group, "azure_keyvault", where):
        yield names.name_azure_key(
            str(entry.get("vaultUrl") or ""),
            str(entry.get("key") or ""),
            str(entry.get("version") or ""),
        )
    yield from names.name_vault(_read_list(group, "hc_vault", where))


def _read_list(data: Mapping[str, Any], name: str, where: str) -> list[str]:
    """Return a list of texts, which may be written as one text with commas."""
    value = data.get(name)
    if value is None:
        return []
    if isinstance(value, str):
        return names.split_list(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    raise SopsError(
        f"error loading config: {where}: invalid {name} key configuration: expected text or a "
        "list of texts",
        hint="write one a line behind a dash",
    )


def _read_entries(data: Mapping[str, Any], name: str, where: str) -> list[dict[str, Any]]:
    entries = data.get(name) or []
    if isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries):
        return entries
    raise SopsError(
        f"error loading config: {where}: {name} is no list of mappings", hint="correct it"
    )


def _remove_doubles(keys: Iterator[MasterKey]) -> KeyGroup:
    unique = {(key.section, key.label, str(key.fields.get("role"))): key for key in keys}
    return tuple(unique.values())

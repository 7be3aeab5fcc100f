"""The metadata of a SOPS file: its keys, the choice of encrypted values, its MAC.

The names are those that `sops` writes below its top-level key `sops`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import msgspec

from sops_python.errors import NotEncrypted, SopsError, UndecryptableValue
from sops_python.selection import RULES, Selection
from sops_python.tree import Branch, Value, as_plain, from_plain

VERSION = "3.13.3"
"""The version of `sops` whose files we write."""

TOP_LEVEL_KEY = "sops"

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,]\d+)?(Z|[-+]\d\d:\d\d)")
_UTC = frozenset(("Z", "+00:00", "-00:00"))


class KeyType(msgspec.Struct, frozen=True):
    """How a kind of master key is written: the fields that name it, the optional ones first."""

    section: str
    names: tuple[str, ...]
    optional: tuple[str, ...] = ()
    is_dated: bool = True


KEY_TYPES = {
    element.section: element
    for element in (
        KeyType("kms", ("arn", "aws_profile"), ("role", "context")),
        KeyType("gcp_kms", ("resource_id",)),
        KeyType("hckms", ("key_id",)),
        KeyType("azure_kv", ("vault_url", "name", "version")),
        KeyType("hc_vault", ("vault_address", "engine_path", "key_name")),
        KeyType("pgp", ("fp",)),
        KeyType("age", ("recipient",), is_dated=False),
    )
}
"""Every kind of master key, in the order in which `sops` holds them in memory."""

_ALWAYS_WRITTEN = ("age", "hc_vault")
"""The sections that a key group has even if they are empty."""


class MasterKey(msgspec.Struct, frozen=True):
    """A key that wraps the data key, or a part of it.

    Args:
        section: What kind it is: a key of `KEY_TYPES`.
        fields: What names it, by the names of its `KeyType`.
        wrapped: The data key as this key wrapped it; "" until then.
        created_at: When it was wrapped, in RFC 3339.
    """

    section: str
    fields: dict[str, Value]
    wrapped: str = ""
    created_at: str = ""

    @property
    def label(self) -> str:
        """The text that names it to people."""
        match self.section, self.fields:
            case "hc_vault", {"vault_address": address, "engine_path": path, "key_name": name}:
                return f"{address}/v1/{path}/keys/{name}"
            case "azure_kv", {"vault_url": url, "name": name, "version": version}:
                return f"{url}/keys/{name}/{version}"
        return str(self.fields[KEY_TYPES[self.section].names[0]])


KeyGroup = tuple[MasterKey, ...]


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """The metadata of one file.

    With one key group each of its keys wraps the data key; with more, each group's keys wrap
    its share, and `threshold` shares give the data key.
    """

    groups: tuple[KeyGroup, ...]
    selection: Selection
    threshold: int = 0
    last_modified: str = ""
    mac: str = ""
    version: str = VERSION

    @property
    def keys(self) -> tuple[MasterKey, ...]:
        """Every key of every group."""
        return tuple(key for group in self.groups for key in group)


def find_metadata(branches: list[Branch]) -> tuple[list[Branch], Branch]:
    """Split the metadata off the *branches* of a file.

    Raises:
        NotEncrypted: If there is none.
    """
    first = branches[0] if branches else Branch()
    found = [value for key, value in first if key == TOP_LEVEL_KEY]
    if not found:
        raise NotEncrypted("sops metadata not found", hint="encrypt it: `sops encrypt FILE`")
    if len(found) > 1 or not isinstance(found[0], Branch):
        raise SopsError(
            f"the top-level entry {TOP_LEVEL_KEY!r} is not one mapping",
            hint="restore the file from Git",
        )
    rest = [Branch(pair for pair in branch if pair[0] != TOP_LEVEL_KEY) for branch in branches]
    return rest, found[0]


def parse_metadata(branch: Branch) -> Metadata:
    """Read the metadata below the top-level key `sops`.

    Raises:
        SopsError: If it names no key, or two rules of what is encrypted.
    """
    data = as_plain(branch)
    try:
        groups = tuple(_parse_groups(data))
        rules = {name: str(data[name]) for name in RULES if data.get(name)}
        selection = Selection.build(rules, only_encrypted=_is_true(data.get("mac_only_encrypted")))
        return Metadata(
            groups=groups,
            selection=selection,
            threshold=int(data.get("shamir_threshold") or 0),
            last_modified=_read_moment(data, "lastmodified"),
            mac=_read_text({"mac": "", **data}, "mac"),
            version=_read_text({"version": "", **data}, "version"),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise SopsError(
            f"the sops metadata cannot be read: {_describe(exc)}", hint="restore the file from Git"
        ) from exc


def _describe(error: Exception) -> str:
    return f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)


def _is_true(value: Value) -> bool:
    return value in (True, 1, "true", "True", "1", "t", "T", "TRUE")


def _read_text(data: dict[str, Value], name: str) -> str:
    value = data[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is not text")
    return value


def _read_moment(data: dict[str, Value], name: str) -> str:
    """Return a moment as RFC 3339 has it, in whole seconds."""
    value = data[name]
    match = _MOMENT.fullmatch(value)
    if not match:
        raise ValueError(f"{name} is not a moment such as 2026-01-02T03:04:05Z")
    return match[1] + ("Z" if match[2] in _UTC else match[2])


def check_version(metadata: Metadata) -> None:
    """Make sure that *metadata* says by which version of `sops` the file was written.

    Raises:
        SopsError: If it does not.
    """
    if not re.search(r"\d+\.\d+\.\d+", metadata.version):
        raise SopsError(
            f"the version of sops that wrote the file is {metadata.version!r}, which is none",
            hint="restore the file from Git",
        )


@contextmanager
def explain_newer(metadata: Metadata) -> Iterator[None]:
    """Say of a value that cannot be read that a newer `sops` has written it, if one has."""
    try:
        yield
    except UndecryptableValue as exc:
        if _split(metadata.version) <= _split(VERSION):
            raise
        raise UndecryptableValue(
            f"{exc.message}; the file was written by sops {metadata.version}, which is newer than "
            f"the {VERSION} that is followed here",
            hint="upgrade provisioning, or write the file with `sops` "
            f"{VERSION} as its users all have it",
        ) from exc


def _split(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)[:3]]


def _parse_groups(data: dict[str, Value]) -> Iterator[KeyGroup]:
    if top := tuple(_parse_keys(data)):
        yield top
        return
    groups = data.get("key_groups") or ()
    if not groups:
        unknown = sorted(key for key, value in data.items() if _holds_keys(value))
        more = f": {', '.join(unknown)} is a kind that is not known here" if unknown else ""
        raise SopsError(
            f"No keys found in file{more}",
            hint="add a key that is: `sops rotate -i --add-age RECIPIENT FILE` where it can be read"
            if unknown
            else "restore the file from Git",
        )
    for group in groups:
        yield tuple(_parse_keys(group))


def _holds_keys(value: Value) -> bool:
    return isinstance(value, list) and any(
        isinstance(item, dict) and "enc" in item for item in value
    )


def _parse_keys(data: dict[str, Value]) -> Iterator[MasterKey]:
    for kind in KEY_TYPES.values():
        for entry in data.get(kind.section) or ():
            names = (*kind.names, *kind.optional)
            fields = {name: entry[name] for name in names if entry.get(name) is not None}
            fields = dict.fromkeys(kind.names, "") | fields
            created = str(entry["created_at"]) if kind.is_dated else ""
            yield MasterKey(kind.section, fields, _read_text(entry, "enc"), created)


def render_metadata(metadata: Metadata) -> Branch:
    """Return *metadata* as it stands below the top-level key `sops`, sorted by name."""
    data: dict[str, Value] = {
        "lastmodified": metadata.last_modified,
        "mac": metadata.mac,
        "version": metadata.version,
        **metadata.selection.as_rules(),
    }
    if metadata.threshold:
        data["shamir_threshold"] = metadata.threshold
    if metadata.selection.only_encrypted:
        data["mac_only_encrypted"] = True
    if len(metadata.groups) == 1:
        data |= _render_keys(metadata.groups[0])
    else:
        empty: dict[str, Value] = {name: [] for name in _ALWAYS_WRITTEN}
        data["key_groups"] = [empty | _render_keys(group) for group in metadata.groups]
    tree = from_plain(_sort(data))
    assert isinstance(tree, Branch)  # noqa: S101  a dict gives a branch
    return tree


def _render_keys(group: Iterable[MasterKey]) -> dict[str, Value]:
    sections: dict[str, list[dict[str, Value]]] = {}
    for key in group:
        dated = {"created_at": key.created_at} if KEY_TYPES[key.section].is_dated else {}
        entry = {**key.fields, **dated, "enc": key.wrapped}
        sections.setdefault(key.section, []).append(entry)
    return dict(sections)


def _sort(value: Value) -> Value:
    match value:
        case dict():
            return {key: _sort(value[key]) for key in sorted(value)}
        case list():
            return [_sort(item) for item in value]
    return value


@dataclass(slots=True)
class _Node:
    """A place in the tree that flat keys unfold to."""

    value: Value = None
    has_value: bool = False
    keys: dict[str, _Node] = field(default_factory=dict)
    items: dict[int, _Node] = field(default_factory=dict)


def flatten(branch: Branch) -> Branch:
    """Return *branch* with one level: `age__list_0__map_enc` names `age[0].enc`."""
    flat = Branch()
    _flatten(branch, "", flat)
    return flat


def _flatten(value: Value, name: str, flat: Branch) -> None:
    match value:
        case Branch():
            for key, item in value:
                _flatten(item, f"{name}__map_{key}" if name else str(key), flat)
        case list():
            for index, item in enumerate(value):
                _flatten(item, f"{name}__list_{index}", flat)
        case _:
            flat.append((name, value))


def unflatten(branch: Branch) -> Branch:
    """Return the tree that `flatten` made *branch* from.

    Raises:
        SopsError: If the keys contradict each other.
    """
    root = _Node()
    for key, value in branch:
        if not isinstance(key, str):
            continue
        node = root
        name, *rest = _tokenize(key)
        node = node.keys.setdefault(str(name), _Node())
        for step in rest:
            node = (
                node.items.setdefault(step, _Node())
                if isinstance(step, int)
                else node.keys.setdefault(step, _Node())
            )
        if node.has_value:
            raise SopsError(f"the sops metadata has {key!r} twice", hint="restore it from Git")
        node.value, node.has_value = value, True
    tree = _unfold(root)
    return tree if isinstance(tree, Branch) else Branch()


def _tokenize(key: str) -> Iterator[str | int]:
    first, *maps = key.split("__map_")
    for index, part in enumerate([first, *maps]):
        name, *positions = part.split("__list_")
        if index == 0 or name or not positions:
            yield name
        for position in positions:
            if not position.isdecimal():
                raise SopsError(f"the sops metadata has a key {key!r}", hint="restore it from Git")
            yield int(position)


def _unfold(node: _Node) -> Value:
    if node.has_value + bool(node.keys) + bool(node.items) > 1 or (
        node.items and set(node.items) != set(range(len(node.items)))
    ):
        raise SopsError("the sops metadata contradicts itself", hint="restore it from Git")
    if node.has_value:
        return node.value
    if node.items:
        return [_unfold(node.items[index]) for index in range(len(node.items))]
    return Branch((key, _unfold(node.keys[key])) for key in sorted(node.keys))

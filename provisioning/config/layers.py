"""Loads the layers, merges them, and keeps where each value came from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from provisioning.config.settings import (
    BY_KEY,
    GROUPS,
    SETTINGS,
    Layer,
    Setting,
    describe_expected,
    get_setting,
    is_fitting,
)
from provisioning.core.errors import InvalidConfiguration, InvalidManifest, Source
from provisioning.core.manifests.documents import Document
from provisioning.core.values import Path as Place
from provisioning.core.values import Tree, find_nearest

WORKSPACE_FILE = "config/provisioning.yaml"
PREFIX = "PROVISIONING_"
NOT_SETTINGS = frozenset({"PROVISIONING_HOME", "PROVISIONING_REQUIRE_PEERS", "PROVISIONING_MARK"})

Read = Callable[[str], bytes | None]
"""Reads a file of the workspace by its path from the root; None if there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a value came from; `source` is None for defaults, variables and flags."""

    layer: Layer
    source: Source | None = None
    name: str = ""

    def __str__(self) -> str:
        return str(self.source or self.name or self.layer)


@dataclass(frozen=True, slots=True)
class Value:
    """One value and where it came from."""

    value: Tree
    origin: Origin


@dataclass(frozen=True, slots=True)
class Layers:
    """Every layer's values by key, lowest layer first; `values.…` by leaf."""

    stack: tuple[Mapping[str, Value], ...]

    def get(self, key: str) -> Value:
        """Return the winning value of *key*."""
        return next(layer[key] for layer in reversed(self.stack) if key in layer)

    def explain(self, key: str) -> list[Value]:
        """Return the value of *key* in every layer that has one, the winner last.

        Raises:
            InvalidConfiguration: If there is no such key.
        """
        found = [layer[key] for layer in self.stack if key in layer]
        if not found:
            raise describe_unknown(key, None, [*BY_KEY, *self.list_keys()])
        return found

    def list_keys(self) -> list[str]:
        """Return every key that has a value, in the order of the table."""
        keys = dict.fromkeys(each.key for each in SETTINGS if each.type is not dict)
        return list(keys | dict.fromkeys(key for layer in self.stack for key in layer))

    def merge(self) -> dict[str, Tree]:
        """Return the tree of all winning values."""
        tree: dict[str, Tree] = {"values": {}}
        for key in self.list_keys():
            *groups, name = key.split(".")
            place = tree
            for group in groups:
                place = place.setdefault(group, {})
            place[name] = self.get(key).value
        return tree


def load_layers(
    read: Read,
    *,
    home: Path,
    infra: str | None,
    environ: Mapping[str, str],
    flags: Sequence[str],
) -> Layers:
    """Load every layer.

    Args:
        read: Reads the workspace's files, from a commit or from the work tree.
        home: The user's home of the product.
        infra: Whose `config.toml` is the infra layer, if any.
        environ: The environment variables.
        flags: `key=value`, each.

    Raises:
        InvalidConfiguration: If a key is unknown or a value is not what it must be.
    """
    defaults = {
        each.key: Value(each.default, Origin(layer=Layer.DEFAULTS))
        for each in SETTINGS
        if each.type is not dict
    }
    user = home / "config.user.toml"
    data = user.read_bytes() if user.is_file() else None
    stack = [
        defaults,
        _load_file(Layer.USER, str(user), data),
        _load_file(Layer.WORKSPACE, WORKSPACE_FILE, read(WORKSPACE_FILE)),
    ]
    override = dict(_load_overrides(environ, flags))
    name = Layers((*stack, override)).get("environment").value
    if name:
        stack.append(_load_environment(str(name), read))
    if infra:
        path = f"infra/{infra}/config.toml"
        stack.append(_load_file(Layer.INFRA, path, read(path)))
    return Layers((*stack, override))


def _load_environment(name: str, read: Read) -> dict[str, Value]:
    path = f"config/{name}-defaults.toml"
    data = read(path)
    if data is None:
        raise InvalidConfiguration(
            f"environment is {name!r}, and there is no {path}", hint=f"make {path}, and commit it"
        )
    return _load_file(Layer.ENVIRONMENT, path, data)


def _load_file(layer: Layer, path: str, data: bytes | None) -> dict[str, Value]:
    if data is None:
        return {}
    try:
        documents = _parse(data, path)
    except InvalidManifest as exc:
        raise InvalidConfiguration(exc.message, hint=exc.hint, source=exc.source) from exc
    values: dict[str, Value] = {}
    for document in documents:
        for place, value in _flatten(document.tree, ()):
            source = Source(path, document.get_line(place))
            key = ".".join(map(str, place))
            check_value(key, value, source, layer)
            values[key] = Value(value, Origin(layer=layer, source=source))
    return values


def _parse(data: bytes, path: str) -> list[Document]:
    if path.endswith(".toml"):
        from provisioning.core.manifests.toml import parse_toml

        return parse_toml(data, path)
    from provisioning.core.manifests.yaml import parse_yaml

    return parse_yaml(data, path)


def _flatten(tree: Tree, place: Place) -> Iterator[tuple[Place, Tree]]:
    """Yield each value: at a setting's key, and below `values` at each leaf."""
    key = ".".join(map(str, place))
    is_group = not place or key in GROUPS or place[0] == "values"
    if isinstance(tree, dict) and is_group:
        for name, value in tree.items():
            yield from _flatten(value, (*place, name))
    else:
        yield place, tree


def _load_overrides(
    environ: Mapping[str, str], flags: Sequence[str]
) -> Iterator[tuple[str, Value]]:
    for name, text in sorted(environ.items()):
        if name.startswith(PREFIX) and name not in NOT_SETTINGS:
            key = name.removeprefix(PREFIX).lower().replace("__", ".")
            yield key, _read_override(key, text, name)
    for flag in flags:
        key, equals, text = flag.partition("=")
        if not equals:
            raise InvalidConfiguration(f"-c {flag} has no value", hint="write -c key=value")
        yield key, _read_override(key, text, f"-c {key}")


def _read_override(key: str, text: str, name: str) -> Value:
    from provisioning.core.manifests.scalars import read_plain

    setting = get_setting(key)
    is_text = setting is not None and setting.type is str
    value = text if is_text and text != "null" else read_plain(text)
    check_value(key, value, None, Layer.OVERRIDE, name)
    return Value(value, Origin(layer=Layer.OVERRIDE, name=name))


def check_value(key: str, value: Tree, source: Source | None, layer: Layer, name: str = "") -> None:
    """Make sure that *key* is a setting that *layer* may set, and *value* fits it.

    Raises:
        InvalidConfiguration: If not.
    """
    setting = get_setting(key)
    if setting is None:
        raise describe_unknown(key, source, BY_KEY, name)
    if setting.workspace_only and layer not in {Layer.WORKSPACE, Layer.OVERRIDE}:
        raise InvalidConfiguration(
            f"{key} can only be set in {WORKSPACE_FILE}", hint="move it there", source=source
        )
    if setting.type is not dict and not is_fitting(setting, value):
        raise _describe_unfit(setting, value, source, name)


def _describe_unfit(
    setting: Setting, value: Tree, source: Source | None, name: str
) -> InvalidConfiguration:
    where = f" ({name})" if name else ""
    nearest = find_nearest(str(value), list(setting.choices)) if setting.choices else None
    return InvalidConfiguration(
        f"{setting.key}{where} is {value!r}, and must be {describe_expected(setting)}",
        hint=f"did you mean {nearest!r}?" if nearest else setting.doc,
        source=source,
    )


def describe_unknown(
    key: str, source: Source | None, known: Mapping[str, object] | list[str], name: str = ""
) -> InvalidConfiguration:
    """Build the error for a key that is no setting, with the nearest one that is."""
    nearest = find_nearest(key, list(known))
    where = f" ({name})" if name else ""
    return InvalidConfiguration(
        f"there is no setting {key!r}{where}",
        hint=f"did you mean {nearest!r}?"
        if nearest
        else "`provisioning config show` lists them; your own belong below `values`",
        source=source,
    )

"""Loads the six layers and merges them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from pathlib import Path

from provisioning.config.layer_reader import Reader, read_text
from provisioning.config.parse_cache import parse_once
from provisioning.config.provenance import (
    Branch,
    Layers,
    Loaded,
    Origin,
    SettingValue,
    merge_branches,
    nest,
)
from provisioning.config.registry import load_settings
from provisioning.config.scope import Facts, Scope, resolve_settings
from provisioning.config.setting import Layer
from provisioning.core.formats.documents import ManifestDocument
from provisioning.core.model.errors import (
    InvalidArgument,
    InvalidConfiguration,
    InvalidManifest,
    Source,
    StorageFailed,
)
from provisioning.core.model.ids import NAME
from provisioning.core.model.values import Path as Place
from provisioning.modes.definitions import MODES

__all__ = [
    "WORKSPACE_FILE",
    "Layers",
    "Read",
    "load_layers",
    "load_proposed_layers",
    "load_written_layers",
]

WORKSPACE_FILE = "config/provisioning.yaml"
VALUES = "values"
PREFIX = "PROVISIONING_"
NOT_SETTINGS = frozenset({"PROVISIONING_HOME", "PROVISIONING_REQUIRE_PEERS", "PROVISIONING_MARK"})

Read = Callable[[str], bytes | None]
"""Reads a file of the workspace by its path from the root; None if there is none."""


def load_layers(
    read: Read,
    *,
    home: Path,
    infra: str | None,
    environ: Mapping[str, str],
    flags: Sequence[str],
    facts: Facts | None = None,
) -> Layers:
    """Load every layer.

    Args:
        read: Reads the workspace's files, from a commit or from the work tree.
        home: The user's home of the product.
        infra: Whose `config.toml` is the infra layer, if any.
        environ: The environment variables.
        flags: `key=value`, each.
        facts: The values of `{{paths.…}}`, `{{now.…}}` and `{{git.…}}` outside of `values`;
            `paths.home` is known anyway.

    Raises:
        InvalidArgument: If *infra* cannot be an infra's name.
        InvalidConfiguration: If a key is unknown, a value is not what it must be, or an
            interpolation has no value.
        StorageFailed: If the user's file cannot be read.
    """
    override = _load_overrides(environ, flags)
    path = home / "config.user.toml"
    user = _load_file(Layer.USER, str(path), _read_user(path), _get_cache(home))
    layers = _load_stack(user, read, infra, override, _get_cache(home))
    known = dict(facts or {})
    known["paths"] = {"home": str(home), **known.get("paths", {})}
    return resolve_settings(layers, Scope(layers=layers, environ=environ, facts=known))


def load_proposed_layers(
    read: Read,
    proposed: Read,
    *,
    home: Path,
    infra: str | None,
    environ: Mapping[str, str],
    flags: Sequence[str],
) -> Layers:
    """Load the layers of a base commit with the `values` of a commit that is proposed to it.

    The settings that gate, lock, confine and connect are thus never those of the proposal. Only the
    variables that somebody has put into `env.allow` are opened; its default does not count.

    Args:
        read: Reads the files of the base, which every other setting comes from.
        proposed: Reads those of the proposed commit.
        home: The user's home of the product.
        infra: Whose `config.toml` is the infra layer, if any.
        environ: The environment variables.
        flags: `key=value`, each.

    Raises:
        InvalidArgument: If *infra* cannot be an infra's name.
        InvalidConfiguration: As `load_layers` does, for either commit.
        StorageFailed: If the user's file cannot be read.
    """
    base = load_layers(read, home=home, infra=infra, environ=environ, flags=flags)
    cache = _get_cache(home)
    files = (
        _load_file(Layer.WORKSPACE, WORKSPACE_FILE, proposed(WORKSPACE_FILE), cache),
        _load_environment(base.get("environment"), proposed, cache),
        _load_infra(infra, proposed, cache),
    )
    values = {item.layer: item.tree.get(VALUES) for item in files}
    stack = [_replace_values(item, values) for item in base.stack]
    tree = _merge(stack)
    allowed = base.get("env.allow")
    if allowed.origin.layer is Layer.DEFAULTS:
        nothing = SettingValue([], Origin(layer=Layer.DEFAULTS, name="an unmerged commit"))
        tree = merge_branches(tree, nest("env.allow", nothing))
    return Layers(tuple(stack), tree, base.resolved)


def _replace_values(loaded: Loaded, values: Mapping[Layer, Branch | None]) -> Loaded:
    if loaded.layer not in values:
        return loaded
    kept = {name: branch for name, branch in loaded.tree.items() if name != VALUES}
    own = values[loaded.layer]
    return Loaded(loaded.layer, loaded.place, kept if own is None else {**kept, VALUES: own})


def load_written_layers(read: Read, *, home: Path, infra: str | None) -> Layers:
    """Load the layers of a commit alone, and leave their interpolations as they are written.

    Nothing of this machine is in them: neither the user's file, nor a variable, nor a flag.

    Raises:
        InvalidArgument: If *infra* cannot be an infra's name.
        InvalidConfiguration: If a key is unknown, or a value is not what it must be.
    """
    nothing = (Loaded(layer, "", {}) for layer in (Layer.USER, Layer.OVERRIDE))
    user, override = nothing
    return _load_stack(user, read, infra, override, _get_cache(home))


def _load_stack(
    user: Loaded, read: Read, infra: str | None, override: Loaded, cache: Path
) -> Layers:
    files = [user, _load_file(Layer.WORKSPACE, WORKSPACE_FILE, read(WORKSPACE_FILE), cache)]
    early = _merge([_load_defaults(), *files, override])
    low = [_load_defaults(str(early["mode"].value)), *files]
    high = [
        _load_environment(early["environment"], read, cache),
        _load_infra(infra, read, cache),
        override,
    ]
    return Layers((*low, *high), _merge([*low, *high]))


def _get_cache(home: Path) -> Path:
    return home / "cache" / "settings"


def _merge(stack: Sequence[Loaded]) -> Branch:
    return reduce(merge_branches, (item.tree for item in stack))


def _load_defaults(mode: str = "") -> Loaded:
    """Return the registered defaults, and over them those of *mode*."""
    origin = Origin(layer=Layer.DEFAULTS)
    branches = [
        nest(setting.key, {} if setting.type is dict else SettingValue(setting.default, origin))
        for setting in load_settings().values()
    ]
    if mode:
        origin = Origin(layer=Layer.DEFAULTS, name=f"mode {mode}")
        branches += [
            nest(key, SettingValue(default, origin))
            for key, default in MODES[mode].defaults.items()
        ]
    return Loaded(Layer.DEFAULTS, "", reduce(merge_branches, branches))


def _read_user(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as exc:
        raise StorageFailed(
            f"{path} cannot be read: {exc.strerror}",
            hint="fix it, or use another home with PROVISIONING_HOME",
        ) from exc


def _load_environment(environment: SettingValue, read: Read, cache: Path) -> Loaded:
    if not environment.value:
        return Loaded(Layer.ENVIRONMENT, "", {})
    path = f"config/{environment.value}-defaults.toml"
    data = read(path)
    if data is None:
        raise InvalidConfiguration(
            f"environment is {environment.value!r}, and there is no {path}",
            hint=f"make {path}, and commit it",
            source=environment.origin.source,
        )
    return _load_file(Layer.ENVIRONMENT, path, data, cache)


def _load_infra(infra: str | None, read: Read, cache: Path) -> Loaded:
    if infra is None:
        return Loaded(Layer.INFRA, "", {})
    if not NAME.match(infra):
        raise InvalidArgument(
            f"{infra!r} cannot be an infra's name", hint="it is the name of a folder below infra/"
        )
    path = f"infra/{infra}/config.toml"
    return _load_file(Layer.INFRA, path, read(path), cache)


def _load_file(layer: Layer, path: str, data: bytes | None, cache: Path) -> Loaded:
    documents = parse_once(_parse, data, path, cache) if data is not None else []
    if len(documents) > 1:
        raise InvalidConfiguration(
            "settings are one document, and here begins another",
            hint="join them",
            source=Source(path, documents[1].line),
        )
    if not documents:
        return Loaded(layer, path, {})
    (document,) = documents

    def locate(place: Place) -> Origin:
        return Origin(layer=layer, source=Source(path, document.get_line(place)))

    return Loaded(layer, path, Reader(locate).read(document.tree))


def _parse(data: bytes, path: str) -> list[ManifestDocument]:
    try:
        if path.endswith(".toml"):
            from provisioning.core.formats.toml import parse_toml

            return parse_toml(data, path)
        from provisioning.core.formats.yaml import parse_yaml

        return parse_yaml(data, path)
    except InvalidManifest as exc:
        raise InvalidConfiguration(exc.message, hint=exc.hint, source=exc.source) from exc


def _load_overrides(environ: Mapping[str, str], flags: Sequence[str]) -> Loaded:
    given = (*_list_variables(environ), *map(_split_flag, flags))
    branches = (_read_override(key, text, name) for key, text, name in given)
    return Loaded(Layer.OVERRIDE, "", reduce(merge_branches, branches, {}))


def _read_override(key: str, text: str, name: str) -> Branch:
    origin = Origin(layer=Layer.OVERRIDE, name=name)
    return Reader(lambda _: origin).read(nest(key, read_text(key, text, name)))


def _list_variables(environ: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for name, text in sorted(environ.items()):
        if name.startswith(PREFIX) and name not in NOT_SETTINGS:
            yield name.removeprefix(PREFIX).lower().replace("__", "."), text, name


def _split_flag(flag: str) -> tuple[str, str, str]:
    key, equals, text = flag.partition("=")
    if not equals:
        raise InvalidConfiguration(f"-c {flag} has no value", hint="write -c key=value")
    return key, text, f"-c {key}"

"""Resolves the interpolations that do not name resources: settings, variables, facts, secrets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TypeAlias

import msgspec
from msgspec.structs import replace

from provisioning.config.layer_reader import check_value, read_text
from provisioning.config.provenance import (
    Branch,
    Layers,
    Origin,
    SettingValue,
    as_plain,
    find_branch,
)
from provisioning.config.registry import load_settings
from provisioning.config.setting import has_interpolation
from provisioning.core.expressions.interpolation import (
    Reference,
    find_templated,
    is_templated,
    resolve_text,
)
from provisioning.core.expressions.references import KnownValues
from provisioning.core.model.errors import InvalidConfiguration, InvalidManifest, Source
from provisioning.core.model.masked import Masked
from provisioning.core.model.sensitive import Secret, has_secret, reveal
from provisioning.core.model.terminal_text import is_utf8
from provisioning.core.model.values import Tree, find_nearest, read_at, render_canonical

MAX_LEVELS = 16
"""The longest chain of settings that refer to each other."""

MAX_SIZE = 1024 * 1024
"""The most bytes, as JSON, of a setting with its references resolved."""

Facts: TypeAlias = Mapping[str, Mapping[str, str]]
"""The values of `paths`, `now` and `git`: for each a map of names to texts."""

Trail: TypeAlias = tuple[tuple[str, Origin], ...]
"""The settings that led to a reference, outermost first."""


class Scope(Masked, frozen=True, kw_only=True, dict=True):
    """Answers everything but `resources` in the interpolations of settings and manifests.

    Args:
        layers: The settings.
        environ: The environment variables; `env.allow` says which are opened.
        hide: Makes a secret of a variable that `env.public` does not name.
        facts: `paths`, `now` and `git`.
        read_known_values: Reads what the state log of another infra recorded, by resource.
        read_secret: Answers `secrets`; None where no secret may be read.
    """

    layers: Layers
    environ: Mapping[str, str]
    facts: Facts
    hide: Callable[[str], Tree] = Secret
    read_known_values: Callable[[str], Mapping[str, KnownValues]] = msgspec.field(
        default=lambda _: {}
    )
    read_secret: Callable[[Reference, Source | None], Tree] | None = None

    @cached_property
    def _known(self) -> dict[str, Tree]:
        return {}

    def __call__(self, reference: Reference, source: Source) -> Tree:
        """Return the value of *reference*, which stands at *source*.

        Raises:
            InvalidConfiguration: If a setting that it names refers to something without a
                value, or to itself; the error names the setting's own file and line.
            InvalidManifest: If there is no such value.
        """
        return self._resolve(reference, source, ())

    def resolve_setting(self, key: str) -> Tree:
        """Return the value of the setting *key* with its interpolations resolved.

        Raises:
            InvalidConfiguration: If one of them has no value.
        """
        return self._resolve_value(key, self.layers.get(key), ())

    def _resolve(self, reference: Reference, source: Source | None, trail: Trail) -> Tree:
        match reference.namespace:
            case "env":
                return self._read_variable(reference, source)
            case "paths" | "now" | "git":
                known = self.facts.get(reference.namespace, {})
                names = ", ".join(known) or "nothing of that kind"
                return _look_up(known, reference, source, f"known here: {names}")
            case "config":
                return self._resolve_config(reference, source, trail)
            case "infra":
                return self._resolve_recorded(reference, source)
            case "secrets" if self.read_secret:
                return self.read_secret(reference, source)
        raise InvalidManifest(
            f"{{{{{reference}}}}} cannot be resolved: no {reference.namespace} are configured",
            hint="only manifests and `values` in the configuration can refer to them",
            source=source,
        )

    def _read_variable(self, reference: Reference, source: Source | None) -> Tree:
        name, allowed = ".".join(reference.steps), self.layers.get("env.allow").value
        if not _matches(name, allowed):
            raise InvalidManifest(
                f"{{{{{reference}}}}} is not opened: env.allow does not name it",
                hint=f"the operator adds {name!r} to env.allow in ~/.provisioning/config.user.toml",
                source=source,
            )
        if name not in self.environ:
            known = (key for key in self.environ if _matches(key, allowed))
            raise _describe_missing(reference, known, source, "set that variable")
        text = _look_up(self.environ, reference, source, "")
        return text if _matches(name, self.layers.get("env.public").value) else self.hide(text)

    def _resolve_recorded(self, reference: Reference, source: Source | None) -> Tree:
        infra, name, *steps = reference.steps
        known_values_by_infra = self.read_known_values(infra)
        if name not in known_values_by_infra:
            raise InvalidManifest(
                f"{{{{{reference}}}}} has no value: infra {infra!r} has no recorded {name}",
                hint=f"apply that first: `provisioning apply {infra}`",
                source=source,
            )
        return known_values_by_infra[name].get(tuple(steps), reference, source)

    def _resolve_config(self, reference: Reference, source: Source | None, trail: Trail) -> Tree:
        key = ".".join(reference.steps)
        try:
            found: Branch | SettingValue = read_at(self.layers.tree, reference.steps)
        except KeyError:
            hint = "set it below `values` in config/provisioning.yaml"
            known = self.layers.list_keys()
            raise _describe_missing(reference, known, source, hint) from None
        return self._resolve_branch(key, found, trail)

    def _resolve_branch(self, key: str, found: Branch | SettingValue, trail: Trail) -> Tree:
        if isinstance(found, SettingValue):
            return self._resolve_value(key, found, trail)
        return {
            name: self._resolve_branch(f"{key}.{name}", below, trail)
            for name, below in found.items()
        }

    def _resolve_value(self, key: str, found: SettingValue, trail: Trail) -> Tree:
        if next(find_templated(found.value), None) is None:
            return found.value
        if key not in self._known:
            _check_trail(key, found.origin, trail)
            value = self._resolve_tree(found.value, found.origin, (*trail, (key, found.origin)))
            self._known[key] = _check_size(key, value, found.origin)
        return self._known[key]

    def _resolve_tree(self, tree: Tree, origin: Origin, trail: Trail) -> Tree:
        match tree:
            case str() if is_templated(tree):
                return self._resolve_text(tree, origin, trail)
            case dict():
                return {key: self._resolve_tree(item, origin, trail) for key, item in tree.items()}
            case list():
                return [self._resolve_tree(item, origin, trail) for item in tree]
        return tree

    def _resolve_text(self, text: str, origin: Origin, trail: Trail) -> Tree:
        source = origin.source
        try:
            return resolve_text(text, lambda it: self._resolve(it, source, trail), source)
        except InvalidManifest as exc:
            key = trail[-1][0]
            where = f"{key} ({origin.name})" if origin.name else key
            raise InvalidConfiguration(
                f"{where}: {exc.message}", hint=exc.hint, source=exc.source
            ) from exc


class WrittenScope(msgspec.Struct, frozen=True):
    """Answers `config` as a commit without trust writes it, with interpolations left as they are.

    It holds no environment, secret, record or path, and so opens none.
    """

    layers: Layers

    def __call__(self, reference: Reference, source: Source) -> Tree:
        """Return the value of *reference*, which stands at *source*.

        Raises:
            InvalidManifest: If the commit writes no such setting.
        """
        found: Branch | SettingValue | None = None
        if reference.namespace == "config":
            found = find_branch(self.layers.tree, reference.steps)
        if found is None:
            hint = "set it below `values` in config/provisioning.yaml"
            raise _describe_missing(reference, self.layers.list_keys(), source, hint)
        return as_plain(found)


def resolve_settings(layers: Layers, scope: Scope) -> Layers:
    """Return *layers* with the interpolations in its settings, not in `values`, resolved.

    Raises:
        InvalidConfiguration: If one of them has no value, or one that does not fit.
    """
    resolved = {}
    for setting in load_settings().values():
        found = layers.get(setting.key) if setting.type is not dict else None
        if found and has_interpolation(setting, found.value):
            value = scope.resolve_setting(setting.key)
            resolved[setting.key] = SettingValue(
                _read_resolved(setting.key, value, found.origin), found.origin
            )
    return replace(layers, resolved=resolved)


def _read_resolved(key: str, value: Tree, origin: Origin) -> Tree:
    plain = reveal(value)
    try:
        if isinstance(plain, str):
            plain = read_text(key, plain, str(origin))
        check_value(key, plain, origin)
    except InvalidConfiguration as exc:
        if not has_secret(value):
            raise
        message = f"{key} is a secret that it cannot be"
        raise InvalidConfiguration(message, source=exc.source, hint=exc.hint) from None
    return plain


def _matches(name: str, patterns: Tree) -> bool:
    return isinstance(patterns, list) and any(fnmatchcase(name, str(item)) for item in patterns)


def _look_up(
    known: Mapping[str, str], reference: Reference, source: Source | None, hint: str
) -> str:
    name = ".".join(reference.steps)
    if name not in known:
        raise _describe_missing(reference, known, source, hint)
    if not is_utf8(known[name]):
        raise InvalidManifest(
            f"{{{{{reference}}}}} is not UTF-8", hint="write it as UTF-8", source=source
        )
    return known[name]


def _describe_missing(
    reference: Reference, known: Iterable[str], source: Source | None, hint: str
) -> InvalidManifest:
    nearest = find_nearest(".".join(reference.steps), list(known))
    return InvalidManifest(
        f"{{{{{reference}}}}} has no value",
        hint=f"did you mean '{reference.namespace}.{nearest}'?" if nearest else hint,
        source=source,
    )


def _check_trail(key: str, origin: Origin, trail: Trail) -> None:
    keys = [item for item, _ in trail]
    if key not in keys and len(trail) < MAX_LEVELS:
        return
    begin = keys.index(key) if key in keys else 0
    way = " -> ".join([f"{item} ({where})" for item, where in trail[begin:]] + [key])
    what = "in a cycle" if key in keys else f"more than {MAX_LEVELS} deep"
    raise InvalidConfiguration(
        f"settings refer to each other {what}: {way}",
        hint="give one of them a plain value",
        source=trail[begin][1].source or origin.source,
    )


def _check_size(key: str, value: Tree, origin: Origin) -> Tree:
    if len(render_canonical(reveal(value))) > MAX_SIZE:
        raise InvalidConfiguration(
            f"{key} grows to more than {MAX_SIZE // 1024} KiB by what it refers to",
            hint="refer to less",
            source=origin.source,
        )
    return value

"""The registry of providers: each is one value, found by its name.

A provider of this program is a package here with a module `plugin`, which is imported only when a
workspace uses the provider; its name is the package's. A package that the operator installed
registers a provider by an entry point of the group `provisioning.providers`.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from provisioning.config.entry_points import list_entry_points
from provisioning.config.provenance import Branch, Layers, SettingValue, list_leaves
from provisioning.config.registry import load_settings
from provisioning.core.model.errors import InvalidConfiguration, Source
from provisioning.core.model.kinds import Kind
from provisioning.core.model.providers import Provider
from provisioning.core.model.values import Tree, find_nearest
from provisioning.providers.instance import ProviderInstance


class Workplace(msgspec.Struct, frozen=True):
    """The folders a provider may use: the workspace's own, and the user's home of the product."""

    root: Path
    home: Path


class ProviderType(msgspec.Struct, frozen=True, kw_only=True):
    """One provider as its package registers it.

    Args:
        name: The name that instances refer to, and that its section of settings bears.
        list_kinds: Returns its kinds, without connecting to anything.
        locate: Returns those of an instance's settings that say where its resources are, as root,
            account or region. They are recorded with each resource.
        connect: Builds the provider for an instance's settings and a location, which is another
            than that of the settings for a resource that was made elsewhere.
    """

    name: str
    list_kinds: Callable[[], Sequence[Kind]]
    locate: Callable[[Mapping[str, Tree]], Mapping[str, Tree]]
    connect: Callable[[Workplace, Mapping[str, Tree], Mapping[str, Tree]], Provider]


def list_provider_names() -> list[str]:
    """Return the name of every registered provider, ours first; none of them is imported."""
    with os.scandir(Path(__file__).parent) as entries:
        ours = sorted(entry.name for entry in entries if Path(entry.path, "plugin.py").exists())
    installed = {point.name for point in list_entry_points("providers")}
    return [*ours, *sorted(installed.difference(ours))]


def find_provider(name: str) -> ProviderType:
    """Return the provider called *name*.

    Raises:
        InvalidConfiguration: If there is none, or its package cannot be loaded.
    """
    names = list_provider_names()
    for point in list_entry_points("providers"):
        if point.name == name:
            return point.load(ProviderType)
    if name not in names:
        nearest = find_nearest(name, names)
        raise InvalidConfiguration(
            f"there is no provider {name!r}",
            hint=f"did you mean {nearest!r}?" if nearest else f"known are {', '.join(names)}",
        )
    package = __name__.rpartition(".")[0]
    found: ProviderType = importlib.import_module(f"{package}.{name}.plugin").PROVIDER
    return found


def list_kinds() -> list[Kind]:
    """Return the kinds of every registered provider."""
    return [kind for name in list_provider_names() for kind in find_provider(name).list_kinds()]


def build_instances(
    layers: Layers, workplace: Workplace, opened: dict[tuple[str, str], Provider]
) -> list[ProviderInstance]:
    """Return the provider instances of a workspace: the configured ones, and one of each name.

    Args:
        layers: The settings; `providers` names the configured instances.
        workplace: The folders that providers may use.
        opened: The providers that are open, by name, settings and location; kept by the caller
            for as long as they are to live.

    Raises:
        InvalidConfiguration: If an instance names no provider, or a setting that is none.
    """
    return [
        _build_instance(name, find_provider(provider), settings, workplace, opened)
        for name, provider, settings in _list_instances(layers)
    ]


def _list_instances(layers: Layers) -> Iterator[tuple[str, str, Mapping[str, Tree]]]:
    """Yield name, provider and settings of each instance, those named like their provider first."""
    configured: Branch = layers.tree["providers"]
    defaults = list_provider_names()
    for name in (*defaults, *sorted(configured.keys() - {*defaults})):
        if name in configured:
            yield name, *_read_instance(layers, name, configured[name])
        else:
            yield name, name, _read_section(layers, name)


def _read_instance(
    layers: Layers, name: str, written: Branch | SettingValue
) -> tuple[str, Mapping[str, Tree]]:
    values = dict(list_leaves(written)) if isinstance(written, dict) else {}
    source = next((value.origin.source for value in values.values()), None)
    own = {key: layers.get(f"providers.{name}.{key}").value for key in values}
    provider = own.pop("provider", None)
    if not isinstance(provider, str):
        raise InvalidConfiguration(
            f"providers.{name} names no provider",
            hint=f"write providers: {{{name}: {{provider: NAME}}}}",
            source=source,
        )
    if name != provider and name in list_provider_names():
        raise InvalidConfiguration(
            f"providers.{name} has the name of a provider, and is one of {provider}",
            hint="give the instance another name",
            source=source,
        )
    section = _read_section(layers, _find_at(provider, source).name)
    if unknown := next((key for key in own if key not in section), None):
        nearest = find_nearest(unknown, list(section))
        raise InvalidConfiguration(
            f"providers.{name}.{unknown} is no setting of {provider}",
            hint=f"did you mean {nearest!r}?" if nearest else "remove it",
            source=values[unknown].origin.source,
        )
    return provider, {**section, **own}


def _find_at(provider: str, source: Source | None) -> ProviderType:
    try:
        return find_provider(provider)
    except InvalidConfiguration as exc:
        raise InvalidConfiguration(exc.message, hint=exc.hint, source=source) from exc


def _read_section(layers: Layers, provider: str) -> dict[str, Tree]:
    return {
        key.removeprefix(f"{provider}."): layers.get(key).value
        for key in load_settings()
        if key.startswith(f"{provider}.")
    }


def _build_instance(
    name: str,
    provider: ProviderType,
    settings: Mapping[str, Tree],
    workplace: Workplace,
    opened: dict[tuple[str, str], Provider],
) -> ProviderInstance:

    def connect(location: Mapping[str, Tree]) -> Provider:
        here = {**settings, **location}
        key = (name, repr(sorted(here.items())))
        if key not in opened:
            opened[key] = provider.connect(workplace, settings, location)
        return opened[key]

    kinds, location = provider.list_kinds(), provider.locate(settings)
    return ProviderInstance(name, kinds, location, connect, provider.name)

"""The dependencies of an infra: the values that it reads, and the resources that it takes. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from provisioning.core.expressions.interpolation import Reference, parse_text
from provisioning.core.expressions.reference_paths import Settings, find_ways
from provisioning.core.model.errors import Source
from provisioning.core.model.resources import Resource
from provisioning.core.model.values import read_at

FOREIGN = "infra"
"""The namespace of what other infras recorded."""

WORDS = (f"{FOREIGN}.", "config.")
"""Words without which no text leads to another infra: most have none, and need not be parsed."""


class Links(msgspec.Struct, frozen=True, kw_only=True):
    """What links one infra to others, each with a place that says so.

    `reads` are the fields of others that it reads, itself or through settings; `takes` are the
    infras that it takes resources from.
    """

    reads: Mapping[Reference, Source] = msgspec.field(default_factory=dict)
    takes: Mapping[str, Source] = msgspec.field(default_factory=dict)


NO_LINKS = Links()


def compute_links(resources: Iterable[Resource], read_settings: Callable[[], Settings]) -> Links:
    """Return what links *resources*, those of one infra, to others.

    Args:
        resources: What the infra asks for, as written.
        read_settings: Returns what its settings refer to; asked only if a setting is named.
    """
    named: dict[str, Source] = {}
    reads: dict[Reference, Source] = {}
    takes: dict[str, Source] = {}
    for resource in resources:
        if resource.moved_infra is not None:
            takes.setdefault(resource.moved_infra, resource.source)
        for name, source in _list_named(resource):
            named.setdefault(name, source)
    settings = read_settings() if any(map(_is_setting, named)) else {}
    for name, source in named.items():
        for way in find_ways(name, settings) if _is_setting(name) else (name,):
            if way.startswith(f"{FOREIGN}."):
                reads.setdefault(_parse(way), source)
    return Links(reads=reads, takes=takes)


def _is_setting(name: str) -> bool:
    return name.startswith("config.")


def _list_named(resource: Resource) -> Iterator[tuple[str, Source]]:
    """Yield every reference of *resource* that may lead elsewhere, as text, and where."""
    for hole in resource.templated:
        text = str(read_at(resource.spec, hole.path))
        if not any(word in text for word in WORDS):
            continue
        for part in parse_text(text):
            if isinstance(part, Reference):
                yield str(part), Source(resource.source.file, hole.line)
    for name in resource.given:
        yield name, resource.source


def _parse(name: str) -> Reference:
    (reference,) = parse_text(f"{{{{{name}}}}}")
    assert isinstance(reference, Reference)  # noqa: S101  it was one before it was a text
    return reference

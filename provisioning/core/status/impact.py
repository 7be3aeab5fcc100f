"""The impact of changed files: along references, within and across infras. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from provisioning.core.expressions.reference_paths import Settings, find_ways, is_related
from provisioning.core.model.kinds import Kind, get_kind
from provisioning.core.model.resources import Resource
from provisioning.core.status.dependency_graph import Name, list_needs, list_references


class Impact(msgspec.Struct, frozen=True, kw_only=True):
    """One resource that a change may affect.

    `cause` is the changed file or setting; `via` is the resource between, None if there is none.
    """

    name: Name
    cause: str
    why: str
    via: Name | None = None


class ImpactSource(msgspec.Struct, frozen=True, kw_only=True):
    """The changes, each with the file that causes it; the infra "" means every one.

    A settings key touches the references to it, to a map around it, and to keys below it; a key
    of a provider, such as `local.root`, touches all resources of the provider.
    """

    resources: dict[Name, str] = msgspec.field(default_factory=dict)
    keys: dict[tuple[str, str], str] = msgspec.field(default_factory=dict)
    secrets: dict[tuple[str, str], str] = msgspec.field(default_factory=dict)
    files: dict[str, str] = msgspec.field(default_factory=dict)
    ignored: list[str] = msgspec.field(default_factory=list)


def compute_impact(
    desired: Mapping[str, Collection[Resource]],
    touched: ImpactSource,
    kinds: Mapping[str, Kind],
    settings: Mapping[str, Settings],
) -> tuple[Impact, ...]:
    """Return every resource that *touched* may affect, each once, nearest cause first.

    Args:
        desired: The resources of each infra, as written.
        touched: The changes.
        kinds: The kinds of all providers.
        settings: For each infra, the references of its settings.
    """
    known = {(infra, item.id): item for infra, found in desired.items() for item in found}
    impacts: dict[Name, Impact] = {}
    for name, cause in sorted(touched.resources.items()):
        impacts[name] = Impact(name=name, cause=cause, why=f"is defined in {cause}")
    for name, resource in sorted(known.items()):
        if name not in impacts and (
            found := _find_direct(name, resource, touched, kinds, settings)
        ):
            impacts[name] = found
    users: dict[Name, list[Name]] = {}
    for name, resource in sorted(known.items()):
        for need in list_needs(name[0], resource):
            users.setdefault(need, []).append(name)
    front = list(impacts)
    for name in front:
        for user in users.get(name, ()):
            if user not in impacts:
                shown = name[1] if name[0] == user[0] else " ".join(name)
                impacts[user] = Impact(
                    name=user, cause=impacts[name].cause, why=f"needs {shown}", via=name
                )
                front.append(user)
    return tuple(impacts.values())


def _find_direct(
    name: Name,
    resource: Resource,
    touched: ImpactSource,
    kinds: Mapping[str, Kind],
    settings: Mapping[str, Settings],
) -> Impact | None:
    for path in get_kind(kinds, resource).get_file_paths(resource.spec):
        if path in touched.files:
            return Impact(name=name, cause=touched.files[path], why=f"is made from {path}")
    for (infra, key), cause in touched.keys.items():
        if infra in {name[0], ""} and key.startswith(f"{resource.provider}."):
            return Impact(name=name, cause=cause, why=f"is made under config.{key}")
    for reference in (*map(str, list_references(resource)), *resource.given):
        for read in find_ways(reference, settings.get(name[0], {})):
            if by := _find_cause(name[0], read, touched):
                return Impact(name=name, cause=by, why=f"reads {reference}")
    return None


def _find_cause(infra: str, read: str, touched: ImpactSource) -> str | None:
    namespace, _, rest = read.partition(".")
    if namespace == "secrets":
        name = rest.partition(".")[0]
        return touched.secrets.get((infra, name)) or touched.secrets.get(("", name))
    if namespace != "config":
        return None
    for (where, key), cause in touched.keys.items():
        if where in {infra, ""} and is_related(key, rest):
            return cause
    return None

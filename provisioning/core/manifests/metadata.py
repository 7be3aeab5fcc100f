"""Reads what every manifest has beside its `spec`."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from provisioning.core.expressions.interpolation import find_templated
from provisioning.core.manifests.lifecycle import read_lifecycle
from provisioning.core.manifests.validation import Review, name_type, suggest
from provisioning.core.model.errors import InvalidArgument
from provisioning.core.model.ids import NAME, ResourceId, build_resource_id, parse_resource_id
from provisioning.core.model.kinds import Kind, build_kind_name
from provisioning.core.model.resources import API_VERSION, DeletePolicy, Lifecycle, Resource
from provisioning.core.model.values import Path, Tree, find_nearest

_KEYS = [
    "apiVersion",
    "kind",
    "metadata",
    "spec",
    "lifecycle",
    "dependsOn",
    "moved",
    "when",
    "forEach",
]
_NAME_HINT = "a name has up to 63 small letters, digits, - and _, as in web-1"
_LIST_HINT = "write dependsOn: [Kind/name]"


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What a manifest says besides its spec; None is what could not be read."""

    kind: Kind | None
    id: ResourceId | None
    labels: dict[str, str]
    lifecycle: Lifecycle
    depends_on: tuple[ResourceId, ...]
    moved_from: ResourceId | None
    moved_infra: str | None


def read_header(review: Review, tree: dict[str, Tree], kinds: Mapping[str, Kind]) -> Header:
    """Read everything but `spec`, and report what is wrong with it."""
    review.refuse_unknown((), tree, _KEYS)
    _refuse_templated(review, tree)
    kind = _read_kind(review, tree, kinds)
    metadata = review.get_map(("metadata",), tree.get("metadata"))
    review.refuse_unknown(("metadata",), metadata, ["name", "labels"])
    name = _read_name(review, metadata)
    moved = review.get_map(("moved",), tree.get("moved"))
    return Header(
        kind=kind,
        id=build_resource_id(kind.name, name) if kind and name else None,
        labels=_read_labels(review, metadata),
        lifecycle=read_lifecycle(review, tree, kind),
        depends_on=_read_depends_on(review, tree),
        moved_from=_read_origin(review, tree, moved),
        moved_infra=_read_origin_infra(review, moved),
    )


def _refuse_templated(review: Review, tree: dict[str, Tree]) -> None:
    static = {key: value for key, value in tree.items() if key != "spec"}
    for path, _ in find_templated(static):
        review.report(
            path, "must be written out", "interpolations like {{env.X}} stand below spec only"
        )


def _read_api_version(review: Review, tree: dict[str, Tree], kinds: Mapping[str, Kind]) -> str:
    version = tree.get("apiVersion")
    if version == API_VERSION:
        return API_VERSION
    known = {kind.api_version for kind in kinds.values()} | {API_VERSION}
    if isinstance(version, str) and version in known:
        return version
    problem = "is not one of ours" if "apiVersion" in tree else "is missing"
    nearest = find_nearest(version, known) if isinstance(version, str) else None
    review.report(("apiVersion",), problem, f"write apiVersion: {nearest or API_VERSION}")
    return API_VERSION


def _read_kind(review: Review, tree: dict[str, Tree], kinds: Mapping[str, Kind]) -> Kind | None:
    version = _read_api_version(review, tree, kinds)
    named, spec = tree.get("kind"), tree.get("spec")
    name = build_kind_name(version, named) if isinstance(named, str) else ""
    kind = kinds.get(name)
    if kind is None:
        problem = f"there is no kind {named!r}" if isinstance(named, str) else "must be text"
        known = {item.name for item in kinds.values() if item.api_version == version}
        review.report(("kind",), problem if "kind" in tree else "is missing", suggest(named, known))
    elif isinstance(spec, dict) and isinstance(provider := spec.get("provider"), str):
        return kinds.get(f"{provider}:{name}", kind)
    elif kind.rivals:
        names = " and ".join((kind.type_name, *kind.rivals))
        hint = f"write provider: {kind.type_name}, or another of them"
        review.report(("spec", "provider"), f"is missing: {names} serve {named}", hint)
    return kind


def _read_name(review: Review, metadata: dict[str, Tree]) -> str | None:
    name = metadata.get("name")
    if isinstance(name, str) and NAME.match(name):
        return name
    problem = f"{name!r} is not a name" if isinstance(name, str) else "is missing"
    if name is not None and not isinstance(name, str):
        problem = f"must be text, not {name_type(name)}"
    review.report(("metadata", "name"), problem, _NAME_HINT)
    return None


def _read_labels(review: Review, metadata: dict[str, Tree]) -> dict[str, str]:
    path = ("metadata", "labels")
    labels = review.get_map(path, metadata.get("labels"))
    for key, value in labels.items():
        if not isinstance(value, str):
            review.report(
                (*path, key), f"must be text, not {name_type(value)}", "put the value in quotes"
            )
    return labels


def _read_depends_on(review: Review, tree: dict[str, Tree]) -> tuple[ResourceId, ...]:
    ids = tree.get("dependsOn")
    if ids is not None and not isinstance(ids, list):
        review.report(("dependsOn",), f"must be a list, not {name_type(ids)}", _LIST_HINT)
    if not isinstance(ids, list):
        return ()
    read = (_read_id(review, ("dependsOn", index), item) for index, item in enumerate(ids))
    return tuple(dict.fromkeys(item for item in read if item))


def _read_origin(
    review: Review, tree: dict[str, Tree], moved: dict[str, Tree]
) -> ResourceId | None:
    if tree.get("moved") is None:
        return None
    review.refuse_unknown(("moved",), moved, ["from", "infra"])
    origin = _read_id(review, ("moved", "from"), moved.get("from"))
    kind = tree.get("kind")
    if origin and origin.partition("/")[0] != kind:
        review.report(
            ("moved", "from"),
            f"{origin} is of another kind than {kind}",
            "a resource keeps its kind; only its name can be moved",
        )
    return origin


def _read_origin_infra(review: Review, moved: dict[str, Tree]) -> str | None:
    infra = moved.get("infra")
    if infra is None or (isinstance(infra, str) and NAME.match(infra)):
        return infra
    review.report(("moved", "infra"), "must be the name of an infra", "write that of its folder")
    return None


def read_removed(
    review: Review, tree: dict[str, Tree], kinds: Mapping[str, Kind]
) -> Resource | None:
    """Read a document that declares a resource to be gone, and report what is wrong with it."""
    review.refuse_unknown((), tree, ["apiVersion", "removed"])
    version = _read_api_version(review, tree, kinds)
    removed = review.get_map(("removed",), tree["removed"])
    review.refuse_unknown(("removed",), removed, ["from", "onDelete"])
    name = _read_id(review, ("removed", "from"), removed.get("from"))
    word = name.partition("/")[0] if name else ""
    kind = kinds.get(build_kind_name(version, word))
    if name and kind is None:
        known = {item.name for item in kinds.values() if item.api_version == version}
        review.report(("removed", "from"), f"there is no kind {word!r}", suggest(word, known))
    choices = {str(item): item for item in DeletePolicy}
    policy = choices.get(str(removed.get("onDelete")))
    if policy is None:
        review.report(("removed", "onDelete"), "must be retain or delete", "say what becomes of it")
    if name is None or kind is None or policy is None:
        return None
    return Resource(
        id=name,
        kind=kind.name,
        api_version=kind.api_version,
        provider=kind.provider,
        provider_type=kind.provider_type,
        source=review.build_source(),
        spec={},
        removed=policy,
    )


def _read_id(review: Review, path: Path, text: Tree) -> ResourceId | None:
    if not isinstance(text, str):
        review.report(path, f"must be an id, not {name_type(text)}", "write Kind/name")
        return None
    try:
        return parse_resource_id(text)
    except InvalidArgument as exc:
        review.report(path, exc.message, exc.hint)
        return None

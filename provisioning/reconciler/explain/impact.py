"""Reads what changed in some files, as `core.status.impact` takes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from provisioning.config.layers import WORKSPACE_FILE
from provisioning.config.provenance import list_leaves
from provisioning.core.model.errors import ProvisioningError
from provisioning.core.model.kinds import get_kind
from provisioning.core.model.resources import Resource
from provisioning.core.model.values import is_equal
from provisioning.core.status.impact import Impact, ImpactSource, compute_impact
from provisioning.reconciler.explain.checkout import Checkout
from provisioning.reconciler.operations.undo import find_changed
from provisioning.reconciler.planning.compiler import is_manifest

Read = Callable[[str], bytes | None]


def read_impacts(checkout: Checkout, touched: ImpactSource) -> tuple[Impact, ...]:
    """Return every resource at *checkout* that *touched* can affect."""
    infras = checkout.list_infras()
    desired = {infra: checkout.read_resources(infra).values() for infra in infras}
    settings = {infra: checkout.load_layers(infra).list_references() for infra in infras}
    return compute_impact(desired, touched, checkout.kinds, settings)


def read_touched_files(checkout: Checkout, paths: Iterable[str], read: Read) -> ImpactSource:
    """Return everything that the files at *paths* define, as committed or as *read* finds them."""
    touched = ImpactSource()
    for path in paths:
        for infra, resource in _read_manifest(checkout, path, checkout.read_file):
            touched.resources[infra, resource.id] = path
        for infra, resource in _read_manifest(checkout, path, read):
            touched.resources[infra, resource.id] = path
        keys = list(_read_scopes(checkout, path))
        touched.keys.update(dict.fromkeys(keys, path))
        _touch_other(checkout, touched, path, is_known=bool(keys) or _is_part(path))
    return touched


def read_touched_commits(old: Checkout, new: Checkout, paths: Iterable[str]) -> ImpactSource:
    """Return what differs between two commits, whose changed files are *paths*."""
    touched = ImpactSource()
    for infra in sorted({*old.list_infras(), *new.list_infras()}):
        one, other = old.read_resources(infra), new.read_resources(infra)
        for name in find_changed(one, other):
            source = (other.get(name) or one[name]).source
            touched.resources[infra, name] = source.file
    for path in paths:
        before, after = _read_scopes(old, path), _read_scopes(new, path)
        for scope in sorted(before.keys() | after.keys()):
            is_in_both = scope in before and scope in after
            if not is_in_both or not is_equal(before[scope], after[scope]):
                touched.keys[scope] = path
        _touch_other(new, touched, path, is_known=bool(before or after) or _is_part(path))
    return touched


def _read_manifest(checkout: Checkout, path: str, read: Read) -> Iterator[tuple[str, Resource]]:
    parts = PurePosixPath(path).parts
    if len(parts) < 3 or parts[0] != "infra" or not is_manifest("/".join(parts[2:])):  # noqa: PLR2004
        return
    data = read(path)
    try:
        found = checkout.compile(data, path) if data is not None else ()
    except ProvisioningError:  # a half-written manifest says nothing yet
        return
    yield from ((parts[1], item) for item in found)


def _read_scopes(checkout: Checkout, path: str) -> Mapping[tuple[str, str], object]:
    """Return the keys that the settings file at *path* sets, and for which infra."""
    parts = PurePosixPath(path).parts
    is_infra = len(parts) == 3 and parts[0] == "infra" and parts[2] == "config.toml"  # noqa: PLR2004
    is_shared = path == WORKSPACE_FILE or (parts[0] == "config" and path.endswith("-defaults.toml"))
    if not is_infra and not is_shared:
        return {}
    infra = parts[1] if is_infra else ""
    layers = checkout.load_layers(infra or _pick(checkout))
    return {
        (infra, key): value.value
        for loaded in layers.stack
        if loaded.place == path
        for key, value in list_leaves(loaded.tree)
    }


def _pick(checkout: Checkout) -> str:
    return next(iter(checkout.list_infras()), "none")


def _touch_other(checkout: Checkout, touched: ImpactSource, path: str, *, is_known: bool) -> None:
    parts = PurePosixPath(path).parts
    secret = PurePosixPath(path).name.partition(".enc")
    if secret[1] and parts[0] in {"infra", "secrets"}:
        infra = parts[1] if parts[0] == "infra" else ""
        touched.secrets[infra, secret[0]] = path
        return
    touched.files[path] = path
    named = _list_named(checkout)
    if not is_known and path not in named:
        touched.ignored.append(path)


def _list_named(checkout: Checkout) -> set[str]:
    return {
        path
        for infra in checkout.list_infras()
        for resource in checkout.read_resources(infra).values()
        for path in get_kind(checkout.kinds, resource).get_file_paths(resource.spec)
    }


def _is_part(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return len(parts) > 2 and parts[0] == "infra" and is_manifest("/".join(parts[2:]))  # noqa: PLR2004


def group_by_infra(impacts: Iterable[Impact]) -> dict[str, list[Impact]]:
    """Return *impacts* by infra, sorted by its name."""
    found: dict[str, list[Impact]] = {}
    for impact in impacts:
        found.setdefault(impact.name[0], []).append(impact)
    return dict(sorted(found.items()))

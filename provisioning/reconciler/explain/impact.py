"""Reads the changes of files into the `ImpactSource` of `core.status.impact`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath

from provisioning.config.layers import WORKSPACE_FILE
from provisioning.config.provenance import list_leaves
from provisioning.core.model.errors import ProvisioningError
from provisioning.core.model.resources import Resource
from provisioning.core.model.values import is_equal
from provisioning.core.status.impact import Impact, ImpactSource, compute_impact
from provisioning.reconciler.explain.checkout import Checkout
from provisioning.reconciler.operations.undo import find_changed
from provisioning.reconciler.planning.compiler import is_manifest

Read = Callable[[str], bytes | None]


def read_impact(checkout: Checkout, touched: ImpactSource) -> tuple[Impact, ...]:
    """Return every resource at *checkout* that *touched* may affect."""
    infras = checkout.list_infras()
    desired = {infra: checkout.read_resources(infra).values() for infra in infras}
    settings = {infra: checkout.load_layers(infra).list_references() for infra in infras}
    return compute_impact(desired, touched, checkout.kinds, settings)


def read_touched_files(checkout: Checkout, paths: Iterable[str], read: Read) -> ImpactSource:
    """Return everything that the files at *paths* define, as committed and as *read* reads them."""
    touched = ImpactSource()
    for path in paths:
        for data in (checkout.read_file(path), read(path)):
            for resource in _read_manifest(checkout, path, data):
                touched.resources[_get_infra(path), resource.id] = path
        keys = list(_read_scopes(checkout, path))
        touched.keys.update(dict.fromkeys(keys, path))
        _touch_other(checkout, touched, path, is_known=bool(keys) or bool(_get_infra(path)))
    return touched


def read_touched_commits(old: Checkout, new: Checkout, paths: Iterable[str]) -> ImpactSource:
    """Return the difference of two commits, whose changed files are *paths*."""
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
        _touch_other(new, touched, path, is_known=bool(before or after) or bool(_get_infra(path)))
    return touched


def _get_infra(path: str) -> str:
    """Return the infra of the manifest at *path*; "" if it is no manifest."""
    folder, _, rest = path.partition("/")
    infra, _, name = rest.partition("/")
    return infra if folder == "infra" and name and is_manifest(name) else ""


def _read_manifest(checkout: Checkout, path: str, data: bytes | None) -> tuple[Resource, ...]:
    try:
        return checkout.compile(data, path) if data is not None and _get_infra(path) else ()
    except ProvisioningError:  # a half-written manifest defines nothing yet
        return ()


def _read_scopes(checkout: Checkout, path: str) -> Mapping[tuple[str, str], object]:
    """Return the keys that the settings file at *path* sets, and for which infra."""
    parts = PurePosixPath(path).parts
    is_infra = len(parts) == 3 and parts[0] == "infra" and parts[2] == "config.toml"  # noqa: PLR2004
    is_shared = path == WORKSPACE_FILE or (parts[0] == "config" and path.endswith("-defaults.toml"))
    if not is_infra and not is_shared:
        return {}
    infra = parts[1] if is_infra else ""
    layers = checkout.load_layers(infra or next(iter(checkout.list_infras()), "none"))
    return {
        (infra, key): value.value
        for loaded in layers.stack
        if loaded.place == path
        for key, value in list_leaves(loaded.tree)
    }


def _touch_other(checkout: Checkout, touched: ImpactSource, path: str, *, is_known: bool) -> None:
    parts = PurePosixPath(path).parts
    secret = PurePosixPath(path).name.partition(".enc")
    if secret[1] and parts[0] in {"infra", "secrets"}:
        infra = parts[1] if parts[0] == "infra" else ""
        touched.secrets[infra, secret[0]] = path
        return
    touched.files[path] = path
    if not is_known and not any(
        path in checkout.list_named_files(infra) for infra in checkout.list_infras()
    ):
        touched.ignored.append(path)


def group_by_infra(impacts: Iterable[Impact]) -> dict[str, list[Impact]]:
    """Return *impacts* by infra, sorted by its name."""
    found: dict[str, list[Impact]] = {}
    for impact in impacts:
        found.setdefault(impact.name[0], []).append(impact)
    return dict(sorted(found.items()))

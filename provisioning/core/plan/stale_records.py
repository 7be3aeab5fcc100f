"""Records that are older than what reads them: than the manifest, or than their kind. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from provisioning.core.model.errors import ProviderMisbehaved, StateLogDamaged
from provisioning.core.model.kinds import Kind, find_kind
from provisioning.core.model.records import Record
from provisioning.core.model.resources import Resource
from provisioning.core.model.sensitive import is_marked
from provisioning.core.model.states import RecordedState
from provisioning.core.model.values import (
    Omitted,
    Sensitive,
    Tree,
    has_unknown,
    list_keys,
    summarise,
)
from provisioning.core.plan.diff import FieldChange, compute_diff, compute_recorded
from provisioning.core.plan.ignored_fields import leave_ignored


def is_behind(
    record: Record,
    resource: Resource,
    kind: Kind,
    spec: Mapping[str, Tree],
    key: bytes,
) -> bool:
    """Tell whether *record* is not what a run that changes nothing would record now.

    It is so where a manifest came to ask for what is there already, or says something else of
    lifecycle or order. What is secret is not compared: its fingerprint may be under another key.

    Args:
        record: What was recorded last.
        resource: What its manifest asks for.
        kind: Its kind.
        spec: Its desired spec, resolved and expanded.
        key: The key of fingerprints.
    """
    if has_other_terms(record, resource):
        return True
    stated = record.spec
    names = [name for name in {**stated, **spec} if not _is_same(name, stated, spec)]
    if not names:
        return False
    wanted, old = ({name: it[name] for name in names if name in it} for it in (spec, stated))
    fields = leave_ignored(resource.lifecycle, compute_diff(kind, wanted, old, {}, key))
    return any(map(_is_telling, fields))


def renew_fingerprints(record: Record, kind: Kind, spec: Mapping[str, Tree], key: bytes) -> Record:
    """Return *record* with fingerprints under *key* in place of those under its former keys.

    Only a fingerprint of a value in *spec*, the desired one, can be renewed.
    """
    stated: Tree = record.spec
    for former in list_keys(key)[1:]:
        old, new = (compute_recorded(kind, spec, item) for item in (former, key))
        stated = _renew(stated, old, new)
    return record if stated == record.spec else msgspec.structs.replace(record, spec=stated)


def _renew(stated: Tree, old: Tree, new: Tree) -> Tree:
    match stated, old, new:
        case Sensitive(), Sensitive(), Sensitive():
            return new if stated == old else stated
        case dict(), dict(), dict():
            return {name: _renew(it, old.get(name), new.get(name)) for name, it in stated.items()}
        case list(), list(), list() if len(stated) == len(old) == len(new):
            return [_renew(*items) for items in zip(stated, old, new, strict=True)]
    return stated


def upgrade_records(recorded: RecordedState, kinds: Mapping[str, Kind]) -> RecordedState:
    """Return *recorded* in the versions that *kinds* have now; a run rewrites what it touches.

    Raises:
        StateLogDamaged: If a record is of a newer version than its kind, or cannot be upgraded.
    """
    every = (*recorded.records.values(), *recorded.unfinished)
    is_first = all(record.schema_version == 1 for record in every)
    if is_first and all(kind.schema_version == 1 for kind in kinds.values()):
        return recorded
    return msgspec.structs.replace(
        recorded,
        records={name: _upgrade(record, kinds) for name, record in recorded.records.items()},
        unfinished=tuple(_upgrade(record, kinds) for record in recorded.unfinished),
    )


def _upgrade(record: Record, kinds: Mapping[str, Kind]) -> Record:
    kind = find_kind(kinds, record)
    if kind is None or record.schema_version == kind.schema_version:
        return record
    if record.schema_version > kind.schema_version or kind.upgrade is None:
        raise StateLogDamaged(
            f"{record.id} is recorded in version {record.schema_version} of {kind.name}, and the "
            f"provider {kind.type_name} reads version {kind.schema_version}",
            hint=f"install the newest release of the provider {kind.type_name}",
            source=record.source,
        )
    version = record.schema_version
    try:
        spec, attributes = kind.upgrade(version, {**record.spec}, {**record.attributes})
        left = [kind.upgrade(version, {}, {**old})[1] for old in record.leftovers]
    except Exception as exc:
        raise ProviderMisbehaved(
            f"provider {kind.type_name!r} cannot upgrade the record of {record.id} from version "
            f"{version}: {type(exc).__name__}: {exc}",
            hint="this is a defect of the provider; report it",
        ) from exc
    return msgspec.structs.replace(
        record,
        spec=spec,
        attributes=attributes,
        leftovers=tuple(left),
        schema_version=kind.schema_version,
    )


def has_other_terms(record: Record, resource: Resource) -> bool:
    """Tell whether *record* says something else of lifecycle or order than the manifest."""
    is_same_order = {*record.depends_on} == {*resource.dependencies}
    return record.lifecycle != resource.lifecycle or not is_same_order


def _is_same(name: str, stated: Mapping[str, Tree], spec: Mapping[str, Tree]) -> bool:
    """Tell whether the field is recorded just as it is asked for; nearly all are."""
    if name not in stated or name not in spec:
        return False
    old, new = stated[name], spec[name]
    return bool(old == (summarise(new) if _is_omitted(old, new) else new))


def _is_omitted(old: Tree, new: Tree) -> bool:
    return isinstance(old, Omitted) and isinstance(new, str | bytes)


def _is_telling(field: FieldChange) -> bool:
    return not is_marked(field.before) and not has_unknown(field.after)

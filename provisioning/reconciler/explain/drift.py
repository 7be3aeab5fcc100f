"""Compares the live state with the recorded one; the desired state plays no part."""

from __future__ import annotations

import msgspec

from provisioning.core.model.ids import ResourceId
from provisioning.core.model.kinds import get_kind
from provisioning.core.model.providers import Absent, Present
from provisioning.core.model.values import Omitted, Sensitive
from provisioning.core.plan.diff import FieldChange, compute_diff
from provisioning.core.plan.observation_targets import Places, build_target
from provisioning.reconciler.context import InfraContext
from provisioning.reconciler.planning.observation import observe_live


class DriftReport(msgspec.Struct, frozen=True):
    """The resources that changed, those that are gone, and those that are unreadable and why."""

    changed: dict[ResourceId, tuple[FieldChange, ...]]
    missing: list[ResourceId]
    unreadable: dict[ResourceId, str]


def read_drift(context: InfraContext) -> DriftReport:
    """Observe everything recorded, and compare."""
    records = context.log.read_records(context.log.read())
    places = Places(
        current={name: build_target(record, record.attributes) for name, record in records.items()}
    )
    live = observe_live(context, places).current
    changed, missing, unreadable = {}, [], {}
    for name, record in sorted(records.items()):
        match live.get(name):
            case Present() as seen:
                kind = get_kind(context.kinds, record)
                fields = compute_diff(kind, record.spec, record.spec, seen.attributes, context.key)
                if fields:
                    changed[name] = tuple(map(_reverse, fields))
            case Absent():
                missing.append(name)
            case other:
                unreadable[name] = other.reason if other else "no provider serves it"
    return DriftReport(changed, missing, unreadable)


def _reverse(field: FieldChange) -> FieldChange:
    """Turn the change that would restore a field into the one that happened to it."""
    before = field.after
    return FieldChange(
        path=field.path,
        before=str(before) if isinstance(before, Omitted | Sensitive) else before,
        after=field.before,
        cause=field.cause,
    )

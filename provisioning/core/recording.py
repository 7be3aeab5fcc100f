"""Whether a record still says what Git asks for. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from provisioning.core.diffs import FieldChange, compute_diff
from provisioning.core.ignoring import leave_ignored
from provisioning.core.kinds import Kind
from provisioning.core.records import Record
from provisioning.core.resources import Resource
from provisioning.core.secrecy import is_marked
from provisioning.core.values import Tree, has_unknown


def is_behind(
    record: Record, resource: Resource, kind: Kind, spec: Mapping[str, Tree], key: bytes
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
    if record.lifecycle != resource.lifecycle:
        return True
    if {*record.depends_on} != {*resource.dependencies}:
        return True
    if record.spec == spec:
        return False
    fields = leave_ignored(resource.lifecycle, compute_diff(kind, spec, record.spec, {}, key))
    return any(map(_is_telling, fields))


def _is_telling(field: FieldChange) -> bool:
    return not is_marked(field.before) and not has_unknown(field.after)

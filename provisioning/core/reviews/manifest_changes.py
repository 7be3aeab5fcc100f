"""The changes of manifests in a pull request, compared as they are written.

An untrusted author gets no more: no secret is decrypted, no provider called, and nothing of the
manifests is resolved, rendered or run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from provisioning.core.model.errors import Source
from provisioning.core.model.ids import ResourceId
from provisioning.core.model.records import Action
from provisioning.core.model.resources import Resource
from provisioning.core.model.values import Tree, is_equal
from provisioning.core.plan.diff import Cause, FieldChange


class ManifestChange(msgspec.Struct, frozen=True, kw_only=True):
    """One resource whose manifest differs, and its fields that do."""

    id: ResourceId
    action: Action
    source: Source
    fields: tuple[FieldChange, ...]


def compare_manifests(
    before: Iterable[Resource], after: Iterable[Resource]
) -> tuple[ManifestChange, ...]:
    """Return the resources whose manifests differ, sorted by id."""
    old = {resource.id: resource for resource in before}
    new = {resource.id: resource for resource in after}
    changes = (_compare(old.get(name), new.get(name)) for name in sorted(old.keys() | new.keys()))
    return tuple(
        change for change in changes if change.fields or change.action is not Action.UPDATE
    )


def _compare(old: Resource | None, new: Resource | None) -> ManifestChange:
    subject = new or old
    assert subject is not None  # noqa: S101  a name comes from one of the two
    action = Action.CREATE if old is None else Action.DELETE if new is None else Action.UPDATE
    fields = tuple(_compare_fields(old, new)) if new else ()
    return ManifestChange(id=subject.id, action=action, source=subject.source, fields=fields)


def _compare_fields(old: Resource | None, new: Resource) -> Iterator[FieldChange]:
    before = old.spec if old else {}
    names = sorted(before.keys() | new.spec.keys())
    pairs: list[tuple[str, Tree, Tree]]
    pairs = [(name, before.get(name), new.spec.get(name)) for name in names]
    if old is not None:
        pairs.append(("lifecycle", str(old.lifecycle), str(new.lifecycle)))
        pairs.append(("dependsOn", list(old.depends_on), list(new.depends_on)))
    for name, value, wanted in pairs:
        if not is_equal(value, wanted):
            yield FieldChange(path=name, before=value, after=wanted, cause=Cause.MANIFEST)

"""What a pull request changes in the manifests, told without looking at anything else.

It is what an untrusted author gets: no secret is opened, no provider asked, nothing of theirs
is filled in, rendered or run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from provisioning.core.model.errors import Source
from provisioning.core.model.ids import ResourceId
from provisioning.core.model.records import Action
from provisioning.core.model.resources import Resource
from provisioning.core.model.values import is_equal
from provisioning.core.plan.diff import Cause, FieldChange


class ManifestChange(msgspec.Struct, frozen=True, kw_only=True):
    """One resource whose manifest differs, and in what."""

    id: ResourceId
    action: Action
    source: Source
    fields: tuple[FieldChange, ...]


def compare_manifests(
    before: Iterable[Resource], after: Iterable[Resource]
) -> tuple[ManifestChange, ...]:
    """Return the resources whose manifests differ, sorted by id."""
    old = {item.id: item for item in before}
    new = {item.id: item for item in after}
    names = sorted(old.keys() | new.keys())
    return tuple(
        _compare(old.get(name), new.get(name))
        for name in names
        if _differs(old.get(name), new.get(name))
    )


def _differs(old: Resource | None, new: Resource | None) -> bool:
    return old is None or new is None or any(_walk(old, new))


def _compare(old: Resource | None, new: Resource | None) -> ManifestChange:
    subject = new or old
    if subject is None:
        raise AssertionError  # a name comes from one of the two
    action = Action.CREATE if old is None else Action.DELETE if new is None else Action.UPDATE
    fields = tuple(_walk(old, new)) if new else ()
    return ManifestChange(id=subject.id, action=action, source=subject.source, fields=fields)


def _walk(old: Resource | None, new: Resource) -> Iterator[FieldChange]:
    before = old.spec if old else {}
    for name in sorted(before.keys() | new.spec.keys()):
        if not is_equal(before.get(name), new.spec.get(name)):
            yield FieldChange(
                path=name, before=before.get(name), after=new.spec.get(name), cause=Cause.MANIFEST
            )
    if old is not None and old.lifecycle != new.lifecycle:
        yield FieldChange(
            path="lifecycle",
            before=str(old.lifecycle),
            after=str(new.lifecycle),
            cause=Cause.MANIFEST,
        )
    if old is not None and old.depends_on != new.depends_on:
        yield FieldChange(
            path="dependsOn",
            before=list(old.depends_on),
            after=list(new.depends_on),
            cause=Cause.MANIFEST,
        )

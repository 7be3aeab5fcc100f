"""Which infras a run of another one concerns, for they read what it changed. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

from provisioning.core.errors import InvalidManifest
from provisioning.core.ids import ResourceId
from provisioning.core.interpolation import Reference
from provisioning.core.pictures import list_references
from provisioning.core.records import Record
from provisioning.core.references import Outlook
from provisioning.core.resources import Resource
from provisioning.core.values import Tree, is_equal

Find = Callable[[ResourceId], Record | None]
"""Returns what is recorded of a resource."""


def list_readers(
    infra: str, linked: Mapping[str, Collection[Resource]], before: Find, after: Find
) -> list[str]:
    """Return the infras that a run of *infra* concerns.

    They read of it what is recorded otherwise after the run than before, or resources move
    between them and it.

    Args:
        infra: The infra that a run changed.
        linked: Of each infra the resources that link it to others.
        before: What was recorded before the run.
        after: What is recorded after it.
    """
    givers = {each.moved_infra for each in linked.get(infra, ())}
    return [
        other
        for other, resources in linked.items()
        if other != infra
        and (
            other in givers
            or any(each.moved_infra == infra for each in resources)
            or any(_differs(each, before, after) for each in _list_reads(infra, resources))
        )
    ]


def _list_reads(infra: str, resources: Collection[Resource]) -> Iterator[Reference]:
    for resource in resources:
        for reference in list_references(resource):
            if reference.namespace == "infra" and reference.steps[0] == infra:
                yield reference


def _differs(reference: Reference, before: Find, after: Find) -> bool:
    return not is_equal(_read(reference, before), _read(reference, after))


def _read(reference: Reference, find: Find) -> Tree:
    """Return the value as a run reads it; None where that would be an error."""
    _, name, *steps = reference.steps
    record = find(ResourceId(name))
    if record is None:
        return None
    outlook = Outlook(record.id, {**record.spec, **record.attributes})
    try:
        return outlook.get(tuple(steps), reference, None)
    except InvalidManifest:
        return None

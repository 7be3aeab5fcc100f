"""The dependents of an infra: those that read what its run changed. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from provisioning.core.expressions.interpolation import Reference
from provisioning.core.expressions.references import KnownValues
from provisioning.core.infras.dependencies import NO_LINKS, Links
from provisioning.core.model.errors import InvalidManifest
from provisioning.core.model.ids import ResourceId
from provisioning.core.model.records import Record
from provisioning.core.model.values import Tree, is_equal

Find = Callable[[ResourceId], Record | None]
"""Returns what is recorded of a resource."""


def list_readers(infra: str, links: Mapping[str, Links], before: Find, after: Find) -> list[str]:
    """Return the infras that a run of *infra* concerns.

    They read of it what is recorded otherwise after the run than before, or resources move
    between them and it.

    Args:
        infra: The infra that a run changed.
        links: What links each infra to others.
        before: What was recorded before the run.
        after: What is recorded after it.
    """
    givers = links.get(infra, NO_LINKS).takes
    return [
        other
        for other, its in links.items()
        if other != infra
        and (
            other in givers
            or infra in its.takes
            or any(
                reference.steps[0] == infra and _differs(reference, before, after)
                for reference in its.reads
            )
        )
    ]


def _differs(reference: Reference, before: Find, after: Find) -> bool:
    return not is_equal(_read(reference, before), _read(reference, after))


def _read(reference: Reference, find: Find) -> Tree:
    """Return the value as a run reads it; None where that would be an error."""
    _, name, *steps = reference.steps
    record = find(ResourceId(name))
    if record is None:
        return None
    known_values = KnownValues(record.id, {**record.spec, **record.attributes})
    try:
        return known_values.get(tuple(steps), reference, None)
    except InvalidManifest:
        return None

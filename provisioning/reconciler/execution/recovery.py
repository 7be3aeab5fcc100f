"""The resources that interrupted runs may have left, and the records of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from msgspec.structs import replace

from provisioning.core.model.ids import ResourceId
from provisioning.core.model.providers import Absent, Observation, Present
from provisioning.core.model.records import Action, Begin, Intent, Record
from provisioning.core.model.states import LiveState, RecordedState
from provisioning.core.model.values import Digest, compute_digest
from provisioning.localstore.journal import build_unfinished, find_creations

if TYPE_CHECKING:
    from provisioning.reconciler.execution.outcomes import Execution


def compute_unfinished(
    records: Mapping[ResourceId, Record], begin: Begin | None, journalled: Iterable[Record]
) -> tuple[Record, ...]:
    """Join what state log and journal know of creations whose end nobody recorded.

    What the journal knows comes first, for it knows more; each resource and place is in the
    result once.
    """
    begun = [
        build_unfinished(creation) for creation in find_creations(begin.intents if begin else ())
    ]
    left = [
        replace(record, spec={}, attributes=attributes, leftovers=())
        for record in records.values()
        for attributes in record.leftovers
    ]
    found: dict[tuple[ResourceId, Digest], Record] = {}
    for record in (*journalled, *begun, *left):
        found.setdefault((record.id, compute_digest(record.attributes)), record)
    return tuple(found.values())


def build_inherited(unfinished: Iterable[Record]) -> tuple[Intent, ...]:
    """Return the intents that the next run's intention must carry on."""
    return tuple(
        Intent(
            operation=item.operation,
            id=item.id,
            action=Action.CREATE,
            kind=item.kind,
            provider=item.provider,
            api_version=item.api_version,
            provider_type=item.provider_type,
            schema_version=item.schema_version,
            run=item.run,
            attributes=item.attributes,
            depends_on=item.depends_on,
            moved_from=item.moved_from,
        )
        for item in unfinished
    )


def keep_unfinished(
    recorded: RecordedState, live: LiveState, execution: Execution, owner: str
) -> dict[ResourceId, Record]:
    """Return the records that keep ours what this run could neither finish nor rule out.

    Recording a run removes its intention, and with it those it carried on; so whatever may
    still be in the world must stand in a record.
    """
    left = {
        name: replace(record, leftovers=())
        for name, record in recorded.records.items()
        if record.leftovers and name not in execution.records
    }
    for position, unfinished in enumerate(recorded.unfinished):
        name = unfinished.id
        record = left.get(name) or execution.records.get(name) or recorded.records.get(name)
        if position in live.leftovers:
            is_left = _may_be_ours(live.leftovers[position], owner, name)
            if is_left and position not in execution.cleaned:
                left[name] = unfinished
                if record is not None:
                    leftovers = (*record.leftovers, unfinished.attributes)
                    left[name] = replace(record, leftovers=leftovers)
        elif record is not None or name in execution.records:
            continue
        elif _may_be_ours(live.current.get(name), owner, name):
            left[name] = unfinished
    return left


def _may_be_ours(seen: Observation | None, owner: str, name: ResourceId) -> bool:
    match seen:
        case Absent():
            return False
        case Present(_, mark):
            return mark is not None and mark.owner == f"{owner}/{name}"
    return True

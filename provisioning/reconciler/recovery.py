"""What runs that were cut off may have left: where to look, and what to keep in mind. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from provisioning.core.ids import ResourceId
from provisioning.core.providers import Absent, Observation, Present
from provisioning.core.records import Action, Begin, Intent, Record
from provisioning.core.states import LiveState, RecordedState
from provisioning.gitstore.journal import build_unfinished
from provisioning.reconciler.endings import Execution


def compute_unfinished(
    records: Mapping[ResourceId, Record],
    begin: Begin | None,
    journalled: Mapping[ResourceId, Record],
) -> dict[ResourceId, Record]:
    """Join what the state log and the journal know of operations whose end nobody recorded."""
    unfinished = {
        record.id: msgspec.structs.replace(
            record, spec={}, attributes=record.leftover, leftover=None
        )
        for record in records.values()
        if record.leftover is not None
    }
    begun = {each.id: build_unfinished(each) for each in (begin.intents if begin else ())}
    return {**unfinished, **begun, **journalled}


def build_inherited(unfinished: Iterable[Record]) -> tuple[Intent, ...]:
    """Return the intents that the next run's intention must carry on."""
    return tuple(
        Intent(
            operation=each.operation,
            id=each.id,
            action=Action.CREATE,
            kind=each.kind,
            provider=each.provider,
            run=each.run,
            attributes=each.attributes,
            depends_on=each.depends_on,
        )
        for each in unfinished
    )


def compute_kept(
    recorded: RecordedState, live: LiveState, execution: Execution, owner: str
) -> dict[ResourceId, Record]:
    """Return the records that keep ours what this run could neither finish nor rule out.

    Recording a run removes its intention, and with it those it carried on; so whatever may
    still be in the world must stand in a record.
    """
    kept: dict[ResourceId, Record] = {}
    for name, unfinished in recorded.unfinished.items():
        record = execution.records.get(name, recorded.records.get(name))
        if record and _is_left(name, live, execution, owner):
            kept[name] = msgspec.structs.replace(record, leftover=unfinished.attributes)
        elif record is None and _may_be_ours(live.current.get(name), owner, name):
            kept[name] = unfinished
    return kept


def _is_left(name: ResourceId, live: LiveState, execution: Execution, owner: str) -> bool:
    if name not in live.leftovers or name in execution.removed_leftovers:
        return False
    return _may_be_ours(live.leftovers[name], owner, name)


def _may_be_ours(seen: Observation | None, owner: str, name: ResourceId) -> bool:
    match seen:
        case Absent():
            return False
        case Present(_, mark):
            return mark is not None and mark.owner == f"{owner}/{name}"
    return True

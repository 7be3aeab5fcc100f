"""The JSON of the service: the answers of its admin socket, and its events."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from provisioning.controller.controller import Controller
from provisioning.controller.events import ServiceEvent
from provisioning.controller.schedule import Schedule
from provisioning.controller.workspace_state import LastCycle, WorkspaceState
from provisioning.core.model.errors import ProvisioningError
from provisioning.core.scheduling.workqueue import Key, QueueStatus, Urgency, Work
from provisioning.interfaces.service.event_bus import Shape
from provisioning.reconciler.events import Event


def shape_service(controller: Controller) -> Shape:
    """Return the state of the service and of every infra."""
    now = controller.worker_pool.now()
    with controller.worker_pool.open_queue() as queue:
        works = queue.list_work()
        is_paused, paused = queue.is_paused, sorted(str(key) for key in queue.paused)
    running = [work for work in works if work.standing is QueueStatus.RUNNING]
    problems = controller.list_problems()
    return {
        "ready": not problems,
        "problems": problems,
        "paused": is_paused,
        "pausedInfras": paused,
        "running": [shape_work(work, now) for work in running],
        "queued": len(works) - len(running),
        "workspaces": [
            _shape_workspace(item.state, controller.schedule, now)
            for item in controller.workspace_controllers.values()
        ],
    }


def _shape_workspace(state: WorkspaceState, schedule: Schedule, now: float) -> Shape:
    last = dict(state.last_cycles)
    return {
        "workspace": state.name,
        "commit": state.commit,
        "readSecondsAgo": None if state.read_at is None else round(now - state.read_at, 1),
        "error": str(state.error) if state.error else None,
        "infras": [
            {
                "infra": infra,
                **_shape_last(last.get(infra), now),
                "nextResync": _shape_moment(schedule.get_next(state.get_key(infra))),
            }
            for infra in state.infras
        ],
    }


def _shape_last(last: LastCycle | None, now: float) -> Shape:
    if last is None:
        return {"result": "unknown"}
    success = last.success_at
    return {
        "result": last.result,
        "commit": last.commit,
        "sentence": last.sentence,
        "secondsAgo": round(now - last.at, 1),
        "successSecondsAgo": None if success is None else round(now - success, 1),
        "retryInSeconds": None if last.due is None else round(max(last.due - now, 0.0), 1),
    }


def _shape_moment(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None


def shape_work(work: Work, now: float) -> Shape:
    """Return one piece of work."""
    return {
        "key": str(work.key),
        "urgency": work.urgency.name.lower(),
        "status": str(work.standing),
        "reason": work.reason,
        "seconds": round(now - work.since, 1),
        "failures": work.failures,
        "dueInSeconds": round(max(work.due - now, 0.0), 1)
        if work.standing is QueueStatus.DELAYED
        else None,
        "waitsFor": str(work.waits_for) if work.waits_for else None,
    }


def shape_event(event: ServiceEvent) -> Shape:
    """Return one event: `action`, `level` and `sentence`, and a key for each of its fields."""
    shape: Shape = {"action": event.action, "level": str(event.level)}
    return shape | _shape_fields(event, {"action"}) | {"sentence": event.sentence}


def _shape_fields(event: ServiceEvent | Event, skipped: Collection[str]) -> Shape:
    shape: Shape = {}
    for name in event.__struct_fields__:
        if name not in skipped:
            shape |= _shape_field(name.removeprefix("is_"), getattr(event, name))
    return shape


def _shape_field(name: str, value: object) -> Shape:
    match value:
        case Key():
            return {"workspace": value.workspace, value.topic.replace(" ", "-"): value.name}
        case ProvisioningError():
            return {"code": value.code, "error": str(value), "hint": value.hint}
        case Event():
            return _shape_fields(value, {"kind", "infra"})
        case Urgency():
            return {name: value.name.lower()}
        case float():
            return {name: round(value, 3)}
        case None if name in {"key", "error"}:
            return {}
    return {rename(name): value}


def rename(name: str) -> str:
    """Return the JSON key of a field: `plan_seconds` is `planSeconds`."""
    first, *words = name.split("_")
    return first + "".join(map(str.capitalize, words))

"""The JSON of the service: what its control socket answers, and the events it streams."""

from __future__ import annotations

from datetime import datetime
from functools import singledispatch

from provisioning.controller.controller import Controller
from provisioning.controller.events import (
    ConfigurationKept,
    CycleBegun,
    CycleEnded,
    CycleTold,
    Defect,
    Exchanged,
    Fetched,
    FetchFailed,
    ForgeUntold,
    News,
    PullsReviewed,
    WatchFailed,
    WorkerHung,
    describe_cycle,
)
from provisioning.controller.workspace_controller import WorkspaceController
from provisioning.controller.workspace_state import Last
from provisioning.core.model.errors import ProvisioningError
from provisioning.core.scheduling.workqueue import Key, QueueStatus, Work
from provisioning.interfaces.service.event_bus import Shape


def shape_service(service: Controller) -> Shape:
    """Return how the service and every infra of it stand."""
    now = service.worker_pool.now()
    with service.worker_pool.open_queue() as queue:
        work = queue.list_work()
        is_paused, paused = queue.is_paused, sorted(str(item) for item in queue.paused)
    running = [item for item in work if item.standing is QueueStatus.RUNNING]
    return {
        "ready": not service.list_troubles(),
        "troubles": service.list_troubles(),
        "paused": is_paused,
        "pausedInfras": paused,
        "running": [shape_work(item, now) for item in running],
        "queued": len(work) - len(running),
        "workspaces": [
            _shape_keeper(controller, service, now)
            for controller in service.workspace_controllers.values()
        ],
    }


def _shape_keeper(
    workspace_controller: WorkspaceController, service: Controller, now: float
) -> Shape:
    last = dict(workspace_controller.kept.last)
    read_at = workspace_controller.kept.read_at
    return {
        "workspace": workspace_controller.kept.name,
        "commit": workspace_controller.kept.commit,
        "readSecondsAgo": None if read_at is None else round(now - read_at, 1),
        "error": str(workspace_controller.kept.error) if workspace_controller.kept.error else None,
        "infras": [
            {
                "infra": infra,
                **_shape_last(last.get(infra), now),
                "nextSweep": _write(
                    service.schedule.get_next(workspace_controller.kept.get_key(infra))
                ),
            }
            for infra in workspace_controller.kept.infras
        ],
    }


def _shape_last(last: Last | None, now: float) -> Shape:
    if last is None:
        return {"result": "unknown"}
    return {
        "result": last.result,
        "commit": last.commit,
        "sentence": last.sentence,
        "secondsAgo": round(now - last.at, 1),
        "goodSecondsAgo": None if last.good_at is None else round(now - last.good_at, 1),
        "retryInSeconds": None if last.due is None else round(max(last.due - now, 0.0), 1),
    }


def _write(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None


def shape_work(work: Work, now: float) -> Shape:
    """Return one piece of work."""
    return {
        "key": str(work.key),
        "urgency": work.urgency.name.lower(),
        "standing": str(work.standing),
        "reason": work.reason,
        "seconds": round(now - work.since, 1),
        "failures": work.failures,
        "dueInSeconds": round(max(work.due - now, 0.0), 1)
        if work.standing is QueueStatus.DELAYED
        else None,
        "waitsFor": str(work.waits_for) if work.waits_for else None,
    }


@singledispatch
def shape_news(news: News) -> Shape:
    """Return one event: `action` names it, and the other keys are about it.

    Logs and streams have the same keys.
    """
    raise TypeError(type(news))


@shape_news.register
def _(news: Fetched) -> Shape:
    return {
        "action": "fetched",
        "workspace": news.workspace,
        "commit": news.commit,
        "infras": news.infras,
        "touched": news.touched,
        "seconds": round(news.seconds, 3),
    }


@shape_news.register
def _(news: FetchFailed) -> Shape:
    return {
        "action": "fetch-failed",
        "workspace": news.workspace,
        **_shape_error(news.error),
        "retry": round(news.retry, 1),
    }


@shape_news.register
def _(news: Exchanged) -> Shape:
    return {
        "action": "git",
        "operation": news.operation,
        "done": news.is_done,
        "seconds": round(news.seconds, 3),
    }


@shape_news.register
def _(news: ConfigurationKept) -> Shape:
    return {"action": "settings-kept", "workspace": news.workspace, **_shape_error(news.error)}


@shape_news.register
def _(news: ForgeUntold) -> Shape:
    return {"action": "forge-untold", "workspace": news.workspace, **_shape_error(news.error)}


@shape_news.register
def _(news: WatchFailed) -> Shape:
    return {"action": "watch-failed", "workspace": news.workspace, **_shape_error(news.error)}


@shape_news.register
def _(news: CycleBegun) -> Shape:
    return {
        "action": "cycle-begun",
        **_shape_key(news.work.key),
        "urgency": news.work.urgency.name.lower(),
        "reason": news.work.reason,
        "commit": news.commit,
        "waited": round(news.waited, 3),
    }


@shape_news.register
def _(news: CycleTold) -> Shape:
    event = news.event
    return {
        "action": str(event.kind),
        **_shape_key(news.key),
        "run": event.run,
        "id": event.id,
        "text": event.text,
        "seconds": round(event.seconds, 3),
        "done": event.done,
        "total": event.total,
    }


@shape_news.register
def _(news: CycleEnded) -> Shape:
    report = news.report
    return {
        "action": "cycle-ended",
        **_shape_key(news.work.key),
        "urgency": news.work.urgency.name.lower(),
        "commit": news.commit,
        "run": report.run.run if report and report.run else None,
        "result": news.result,
        "sentence": describe_cycle(news),
        "seconds": round(news.seconds, 3),
        "retry": None if news.retry is None else round(news.retry, 1),
        **_shape_error(news.error),
    }


@shape_news.register
def _(news: PullsReviewed) -> Shape:
    return {
        "action": "reviewed",
        **_shape_key(news.work.key),
        "seconds": round(news.seconds, 3),
        "retry": None if news.retry is None else round(news.retry, 1),
        **_shape_error(news.error),
    }


@shape_news.register
def _(news: WorkerHung) -> Shape:
    seconds = round(news.seconds, 1)
    return {"action": "worker-hung", **_shape_key(news.work.key), "seconds": seconds}


@shape_news.register
def _(news: Defect) -> Shape:
    about = _shape_key(news.key) if news.key else {}
    return {"action": "defect", **about, "trace": news.trace}


def _shape_key(key: Key) -> Shape:
    return {"workspace": key.workspace, str(key.topic).replace(" ", "-"): key.name}


def _shape_error(error: ProvisioningError | None) -> Shape:
    if error is None:
        return {}
    return {"code": error.code, "error": str(error), "hint": error.hint}

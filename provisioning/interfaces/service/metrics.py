"""What Prometheus is told: counted from the events, or looked up when it asks."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from functools import singledispatchmethod

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from provisioning import __version__
from provisioning.controller.controller import Controller
from provisioning.controller.events import (
    CycleEnded,
    CycleTold,
    Defect,
    Exchanged,
    Fetched,
    FetchFailed,
    ForgeUntold,
    News,
    WorkerHung,
)
from provisioning.core.model.errors import Fenced, LockHeld
from provisioning.core.scheduling.workqueue import Key, QueueStatus, Urgency
from provisioning.interfaces.service.metric_table import (
    BUILD,
    CYCLE_SECONDS,
    CYCLES,
    DEFECTS,
    DRIFT_SECONDS,
    EXCHANGE_SECONDS,
    FENCED,
    FETCH_FAILURES,
    FETCHES,
    HOOKS,
    HUNG,
    INFRA_READY,
    INFRA_SUCCESS,
    INFRAS,
    LOCK_SECONDS,
    MEASURES,
    OPEN,
    OPERATIONS,
    PUSH_SECONDS,
    QUEUE_DEPTH,
    QUEUE_OLDEST,
    READY,
    RETRIES,
    THROTTLES,
    UNTOLD,
    WORKERS,
    WORKERS_BUSY,
    WORKSPACE_READ,
    Measure,
    MetricType,
)
from provisioning.interfaces.service.webhooks import HookReply
from provisioning.reconciler.events import EventKind

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
"""The bounds of every histogram of seconds."""


class Metrics:
    """The metrics of one service, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._counters = {
            measure: Counter(measure.name, measure.told, measure.labels, registry=self.registry)
            for measure in MEASURES
            if measure.form is MetricType.COUNTER
        }
        self._histograms = {
            measure: Histogram(
                measure.name, measure.told, measure.labels, buckets=SECONDS, registry=self.registry
            )
            for measure in MEASURES
            if measure.form is MetricType.HISTOGRAM
        }
        self._open = Gauge(OPEN.name, OPEN.told, registry=self.registry)
        Gauge(BUILD.name, BUILD.told, BUILD.labels, registry=self.registry).labels(__version__).set(
            1
        )
        ProcessCollector(registry=self.registry)
        self._held_since: dict[Key, float] = {}
        self._begun: dict[Key, set[str]] = {}
        self._mutex = threading.Lock()

    def _count(self, measure: Measure, *labels: str) -> None:
        counter = self._counters[measure]
        (counter.labels(*labels) if labels else counter).inc()

    def _time(self, measure: Measure, seconds: float, *labels: str) -> None:
        histogram = self._histograms[measure]
        (histogram.labels(*labels) if labels else histogram).observe(seconds)

    def watch(self, service: Controller) -> None:
        """Look up the queue and the infras of *service* whenever Prometheus asks."""
        self.registry.register(_Standings(service))

    def render(self) -> tuple[bytes, str]:
        """Return all of it, and of which content type that is."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST

    def note_hook(self, reply: HookReply) -> None:
        """Count a webhook."""
        self._count(HOOKS, str(int(reply.status)))

    def note(self, news: News) -> None:
        """Count *news*, if it counts; any thread may call."""
        with self._mutex:
            self._note(news)

    @singledispatchmethod
    def _note(self, news: News) -> None:
        """See `note`."""

    def _count_open(self) -> None:
        self._open.set(sum(len(item) for item in self._begun.values()))

    @_note.register
    def _(self, news: Fetched) -> None:
        self._count(FETCHES, news.workspace)

    @_note.register
    def _(self, news: FetchFailed) -> None:
        self._count(FETCH_FAILURES, news.workspace, news.error.code)

    @_note.register
    def _(self, news: Exchanged) -> None:
        result = "done" if news.is_done else "failed"
        self._time(EXCHANGE_SECONDS, news.seconds, news.operation, result)

    @_note.register
    def _(self, news: ForgeUntold) -> None:
        self._count(UNTOLD, news.workspace)

    @_note.register
    def _(self, news: WorkerHung) -> None:
        del news
        self._count(HUNG)

    @_note.register
    def _(self, news: Defect) -> None:
        del news
        self._count(DEFECTS)

    @_note.register
    def _(self, news: CycleTold) -> None:
        event = news.event
        match event.kind:
            case EventKind.OPERATION_BEGUN:
                self._begun.setdefault(news.key, set()).add(str(event.id))
            case EventKind.OPERATION_RETRIED:
                self._count(RETRIES, event.provider)
                if event.is_throttled:
                    self._count(THROTTLES, event.provider)
            case EventKind.OPERATION_ENDED:
                self._begun.get(news.key, set()).discard(str(event.id))
                self._count(OPERATIONS, event.provider, event.outcome)
        self._count_open()

    @_note.register
    def _(self, news: CycleEnded) -> None:
        key = news.work.key
        self._count(CYCLES, key.workspace, news.result)
        self._time(CYCLE_SECONDS, news.looked, "look", news.result)
        self._time(CYCLE_SECONDS, news.seconds - news.looked, "apply", news.result)
        self._begun.pop(key, None)
        self._count_open()
        if isinstance(news.error, Fenced):
            self._count(FENCED)
        now = time.monotonic()
        if isinstance(news.error, LockHeld):
            self._held_since.setdefault(key, now)
        elif (since := self._held_since.pop(key, None)) is not None:
            self._time(LOCK_SECONDS, now - since)
        if news.report is not None and news.report.run is not None:
            if news.work.urgency is Urgency.PUSH:
                self._time(PUSH_SECONDS, news.since_asked)
            elif news.work.urgency is Urgency.DRIFT:
                self._time(DRIFT_SECONDS, news.since_asked)


class _Standings(Collector):
    """What stands at the moment: queue, workers, infras."""

    def __init__(self, service: Controller) -> None:
        self._service = service

    def collect(self) -> Iterable[Metric]:
        """Look it up."""
        yield _build_gauge(READY, float(not self._service.list_troubles()))
        yield from self._collect_queue()
        yield from self._collect_infras()

    def _collect_queue(self) -> Iterator[Metric]:
        worker_pool = self._service.worker_pool
        with worker_pool.open_queue() as queue:
            work = queue.list_work()
        now = worker_pool.now()
        depth = _build_gauge(QUEUE_DEPTH)
        counts: dict[tuple[str, str], int] = {
            (urgency.name.lower(), str(standing)): 0
            for urgency in Urgency
            for standing in QueueStatus
        }
        for item in work:
            counts[item.urgency.name.lower(), str(item.standing)] += 1
        for labels, count in counts.items():
            depth.add_metric(list(labels), count)
        yield depth
        ready = [now - item.ready_since for item in work if item.standing is QueueStatus.READY]
        yield _build_gauge(QUEUE_OLDEST, max(ready, default=0.0))
        yield _build_gauge(WORKERS_BUSY, sum(item.standing is QueueStatus.RUNNING for item in work))
        yield _build_gauge(WORKERS, worker_pool.size)

    def _collect_infras(self) -> Iterator[Metric]:
        ready, success = _build_gauge(INFRA_READY), _build_gauge(INFRA_SUCCESS)
        read, kept = _build_gauge(WORKSPACE_READ), _build_gauge(INFRAS)
        offset = time.time() - self._service.worker_pool.now()
        for workspace_controller in self._service.workspace_controllers.values():
            kept.add_metric([workspace_controller.kept.name], len(workspace_controller.kept.infras))
            if workspace_controller.kept.read_at is not None:
                read.add_metric(
                    [workspace_controller.kept.name], workspace_controller.kept.read_at + offset
                )
            for infra, last in dict(workspace_controller.kept.last).items():
                ready.add_metric(
                    [workspace_controller.kept.name, infra], float(last.good_at == last.at)
                )
                if last.good_at is not None:
                    success.add_metric(
                        [workspace_controller.kept.name, infra], last.good_at + offset
                    )
        yield from (ready, success, read, kept)


def _build_gauge(measure: Measure, value: float | None = None) -> GaugeMetricFamily:
    return GaugeMetricFamily(
        measure.name, measure.told, value, None if value is not None else measure.labels
    )

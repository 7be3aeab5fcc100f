"""The metrics for Prometheus: counted from the events, or read on each scrape."""

from __future__ import annotations

import threading
import time
from collections import Counter as Counts
from collections.abc import Iterable, Iterator
from itertools import product

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from provisioning import __version__
from provisioning.controller.controller import Controller
from provisioning.controller.events import (
    CycleEnded,
    Defect,
    Exchanged,
    Fetched,
    FetchFailed,
    ForgeCallFailed,
    RunProgress,
    ServiceEvent,
    WorkerHung,
)
from provisioning.core.model.errors import Fenced, LockHeld
from provisioning.core.scheduling.workqueue import Key, QueueStatus, Urgency
from provisioning.interfaces.service import metric_table as table
from provisioning.interfaces.service.metric_table import Measure, MetricType
from provisioning.interfaces.service.webhooks import HookReply
from provisioning.reconciler.events import Event, EventKind

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
"""The bounds of every histogram of seconds."""


class Metrics:
    """The metrics of one service, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._counters = {
            measure: Counter(measure.name, measure.help, measure.labels, registry=self.registry)
            for measure in table.MEASURES
            if measure.form is MetricType.COUNTER
        }
        self._histograms = {
            measure: Histogram(
                measure.name, measure.help, measure.labels, buckets=SECONDS, registry=self.registry
            )
            for measure in table.MEASURES
            if measure.form is MetricType.HISTOGRAM
        }
        self._open = Gauge(table.OPEN.name, table.OPEN.help, registry=self.registry)
        Gauge(
            table.BUILD.name, table.BUILD.help, table.BUILD.labels, registry=self.registry
        ).labels(__version__).set(1)
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

    def watch(self, controller: Controller) -> None:
        """Expose the state of the queue and the infras of *controller*, too."""
        self.registry.register(_StateCollector(controller))

    def render(self) -> tuple[bytes, str]:
        """Return all metrics as text, and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST

    def count_webhook(self, reply: HookReply) -> None:
        """Count a webhook."""
        self._count(table.WEBHOOKS, str(int(reply.status)))

    def count(self, event: ServiceEvent) -> None:
        """Count *event*, if a metric counts it; any thread may call."""
        with self._mutex:
            self._count_event(event)

    def _count_event(self, event: ServiceEvent) -> None:
        match event:
            case Fetched():
                self._count(table.FETCHES, event.workspace)
            case FetchFailed():
                self._count(table.FETCH_FAILURES, event.workspace, event.error.code)
            case Exchanged():
                result = "done" if event.is_done else "failed"
                self._time(table.EXCHANGE_SECONDS, event.seconds, event.operation, result)
            case ForgeCallFailed():
                self._count(table.FORGE_FAILURES, event.workspace)
            case WorkerHung():
                self._count(table.HUNG)
            case Defect():
                self._count(table.DEFECTS)
            case RunProgress():
                self._count_operation(event.key, event.event)
            case CycleEnded():
                self._count_cycle(event)

    def _count_operation(self, key: Key, event: Event) -> None:
        match event.kind:
            case EventKind.OPERATION_BEGUN:
                self._begun.setdefault(key, set()).add(str(event.id))
            case EventKind.OPERATION_RETRIED:
                self._count(table.RETRIES, event.provider)
                if event.is_throttled:
                    self._count(table.THROTTLES, event.provider)
            case EventKind.OPERATION_ENDED:
                self._begun.get(key, set()).discard(str(event.id))
                self._count(table.OPERATIONS, event.provider, event.outcome)
        self._count_open()

    def _count_cycle(self, event: CycleEnded) -> None:
        key = event.key
        self._count(table.CYCLES, key.workspace, event.result)
        self._time(table.CYCLE_SECONDS, event.plan_seconds, "plan", event.result)
        self._time(table.CYCLE_SECONDS, event.seconds - event.plan_seconds, "apply", event.result)
        self._begun.pop(key, None)
        self._count_open()
        if isinstance(event.error, Fenced):
            self._count(table.FENCED)
        now = time.monotonic()
        if isinstance(event.error, LockHeld):
            self._held_since.setdefault(key, now)
        elif (since := self._held_since.pop(key, None)) is not None:
            self._time(table.LOCK_SECONDS, now - since)
        if event.run is not None:
            if event.urgency is Urgency.PUSH:
                self._time(table.PUSH_SECONDS, event.since_requested)
            elif event.urgency is Urgency.DRIFT:
                self._time(table.DRIFT_SECONDS, event.since_requested)

    def _count_open(self) -> None:
        self._open.set(sum(len(operations) for operations in self._begun.values()))


class _StateCollector(Collector):
    """The state of the queue, the workers and the infras, read on each scrape."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller

    def collect(self) -> Iterable[Metric]:
        """Read it."""
        yield _build_gauge(table.READY, float(not self._controller.list_problems()))
        yield from self._collect_queue()
        yield from self._collect_infras()

    def _collect_queue(self) -> Iterator[Metric]:
        worker_pool = self._controller.worker_pool
        with worker_pool.open_queue() as queue:
            works = queue.list_work()
        now = worker_pool.now()
        counts = Counts((work.urgency, work.standing) for work in works)
        depth = _build_gauge(table.QUEUE_DEPTH)
        for urgency, status in product(Urgency, QueueStatus):
            depth.add_metric([urgency.name.lower(), status], counts[urgency, status])
        yield depth
        ready = [now - work.ready_since for work in works if work.standing is QueueStatus.READY]
        busy = sum(work.standing is QueueStatus.RUNNING for work in works)
        yield _build_gauge(table.QUEUE_OLDEST, max(ready, default=0.0))
        yield _build_gauge(table.WORKERS_BUSY, busy)
        yield _build_gauge(table.WORKERS, worker_pool.size)

    def _collect_infras(self) -> Iterator[Metric]:
        ready, success = _build_gauge(table.INFRA_READY), _build_gauge(table.INFRA_SUCCESS)
        read, infras = _build_gauge(table.WORKSPACE_READ), _build_gauge(table.INFRAS)
        offset = time.time() - self._controller.worker_pool.now()
        for controller in self._controller.workspace_controllers.values():
            state = controller.state
            infras.add_metric([state.name], len(state.infras))
            if state.read_at is not None:
                read.add_metric([state.name], state.read_at + offset)
            for infra, last in dict(state.last_cycles).items():
                ready.add_metric([state.name, infra], float(last.success_at == last.at))
                if last.success_at is not None:
                    success.add_metric([state.name, infra], last.success_at + offset)
        yield from (ready, success, read, infras)


def _build_gauge(measure: Measure, value: float | None = None) -> GaugeMetricFamily:
    return GaugeMetricFamily(
        measure.name, measure.help, value, None if value is not None else measure.labels
    )

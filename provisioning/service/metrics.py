"""What Prometheus is told: counted from the events, or looked up when it asks."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from functools import singledispatchmethod

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from provisioning import __version__
from provisioning.core.errors import Fenced, LockHeld
from provisioning.core.work import Key, Standing, Urgency
from provisioning.reconciler.events import EventKind
from provisioning.reconciler.serving.news import (
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
from provisioning.reconciler.serving.service import Service
from provisioning.service.hooks import HookReply

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
"""The bounds of every histogram of seconds."""


class Metrics:
    """The metrics of one service, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._cycles = self._count("cycles", "Cycles that ended.", "workspace", "result")
        self._cycle_seconds = self._time("cycle", "What a cycle took.", "phase", "result")
        self._pushed = self._time("push_to_applied", "From hearing of a push to its run's record.")
        self._drifted = self._time("drift", "From noticing a change to the record of its healing.")
        self._lock_waits = self._time("lock_wait", "From finding a lock held to passing it.")
        self._fenced = self._count("fenced_writes", "Writes refused because the lock was lost.")
        self._calls = self._count(
            "operations", "Operations of runs that ended.", "provider", "outcome"
        )
        self._retries = self._count(
            "operation_retries", "Calls to providers that were made again.", "provider"
        )
        self._throttles = self._count(
            "provider_throttles", "Calls that a provider asked to be fewer.", "provider"
        )
        self._open = Gauge(
            "provisioning_operations_open",
            "Operations begun in a journal and not ended.",
            registry=self.registry,
        )
        self._fetches = self._count("fetches", "Looks for news that went well.", "workspace")
        self._fetch_failures = self._count(
            "fetch_failures", "Looks for news that did not.", "workspace", "code"
        )
        self._exchanges = self._time(
            "git_exchange", "Exchanges with remotes.", "operation", "result"
        )
        self._untold = self._count("forge_failures", "Words the forge did not take.", "workspace")
        self._hooks = self._count("hooks", "Webhooks, by what was answered.", "status")
        self._hung = self._count("workers_hung", "Workers that hung and were replaced.")
        self._defects = self._count("defects", "Errors that are defects of this program.")
        info = Gauge(
            "provisioning_build_info", "The version; always 1.", ["version"], registry=self.registry
        )
        info.labels(__version__).set(1)
        ProcessCollector(registry=self.registry)
        self._held_since: dict[Key, float] = {}
        self._begun: set[tuple[Key, str]] = set()

    def _count(self, name: str, told: str, *labels: str) -> Counter:
        return Counter(f"provisioning_{name}", told, labels, registry=self.registry)

    def _time(self, name: str, told: str, *labels: str) -> Histogram:
        return Histogram(
            f"provisioning_{name}_seconds", told, labels, buckets=SECONDS, registry=self.registry
        )

    def watch(self, service: Service) -> None:
        """Look up the queue and the infras of *service* whenever Prometheus asks."""
        self.registry.register(_Standings(service))

    def render(self) -> tuple[bytes, str]:
        """Return all of it, and of which content type that is."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST

    def note_hook(self, reply: HookReply) -> None:
        """Count a webhook."""
        self._hooks.labels(str(int(reply.status))).inc()

    @singledispatchmethod
    def note(self, news: News) -> None:
        """Count *news*, if it counts."""

    @note.register
    def _(self, news: Fetched) -> None:
        self._fetches.labels(news.workspace).inc()

    @note.register
    def _(self, news: FetchFailed) -> None:
        self._fetch_failures.labels(news.workspace, news.error.code).inc()

    @note.register
    def _(self, news: Exchanged) -> None:
        result = "done" if news.is_done else "failed"
        self._exchanges.labels(news.operation, result).observe(news.seconds)

    @note.register
    def _(self, news: ForgeUntold) -> None:
        self._untold.labels(news.workspace).inc()

    @note.register
    def _(self, news: WorkerHung) -> None:
        del news
        self._hung.inc()

    @note.register
    def _(self, news: Defect) -> None:
        del news
        self._defects.inc()

    @note.register
    def _(self, news: CycleTold) -> None:
        event = news.event
        match event.kind:
            case EventKind.OPERATION_BEGUN:
                self._begun.add((news.key, str(event.id)))
            case EventKind.OPERATION_RETRIED:
                self._retries.labels(event.provider).inc()
                if event.is_throttled:
                    self._throttles.labels(event.provider).inc()
            case EventKind.OPERATION_ENDED:
                self._begun.discard((news.key, str(event.id)))
                self._calls.labels(event.provider, event.outcome).inc()
        self._open.set(len(self._begun))

    @note.register
    def _(self, news: CycleEnded) -> None:
        key = news.work.key
        self._cycles.labels(key.workspace, news.result).inc()
        self._cycle_seconds.labels("look", news.result).observe(news.looked)
        self._cycle_seconds.labels("apply", news.result).observe(news.seconds - news.looked)
        self._begun = {each for each in self._begun if each[0] != key}
        self._open.set(len(self._begun))
        if isinstance(news.error, Fenced):
            self._fenced.inc()
        now = time.monotonic()
        if isinstance(news.error, LockHeld):
            self._held_since.setdefault(key, now)
        elif (since := self._held_since.pop(key, None)) is not None:
            self._lock_waits.observe(now - since)
        if news.report is not None and news.report.run is not None:
            if news.work.urgency is Urgency.PUSH:
                self._pushed.observe(news.since_asked)
            elif news.work.urgency is Urgency.DRIFT:
                self._drifted.observe(news.since_asked)


class _Standings(Collector):
    """What stands at the moment: queue, workers, infras."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterable[Metric]:
        """Look it up."""
        yield from self._collect_queue()
        yield from self._collect_infras()

    def _collect_queue(self) -> Iterator[Metric]:
        crew = self._service.crew
        with crew.open_queue() as queue:
            work = queue.list_work()
        now = crew.now()
        depth = GaugeMetricFamily(
            "provisioning_queue_depth", "Keys that are queued.", labels=["urgency", "standing"]
        )
        counts: dict[tuple[str, str], int] = {
            (urgency.name.lower(), str(standing)): 0 for urgency in Urgency for standing in Standing
        }
        for each in work:
            counts[each.urgency.name.lower(), str(each.standing)] += 1
        for labels, count in counts.items():
            depth.add_metric(list(labels), count)
        yield depth
        ready = [now - each.since for each in work if each.standing is Standing.READY]
        yield GaugeMetricFamily(
            "provisioning_queue_oldest_seconds",
            "Since when the oldest key is ready and no worker has taken it.",
            value=max(ready, default=0.0),
        )
        busy = sum(each.standing is Standing.RUNNING for each in work)
        yield GaugeMetricFamily("provisioning_workers_busy", "Workers at work.", value=busy)
        yield GaugeMetricFamily("provisioning_workers", "Workers in all.", value=crew.size)

    def _collect_infras(self) -> Iterator[Metric]:
        ready = GaugeMetricFamily(
            "provisioning_infra_ready",
            "1 if the last cycle of an infra came out well, 0 if not.",
            labels=["workspace", "infra"],
        )
        success = GaugeMetricFamily(
            "provisioning_infra_last_success_timestamp_seconds",
            "When a cycle of an infra came out well last.",
            labels=["workspace", "infra"],
        )
        read = GaugeMetricFamily(
            "provisioning_workspace_last_read_timestamp_seconds",
            "When a workspace was looked at for news last, and that went well.",
            labels=["workspace"],
        )
        kept = GaugeMetricFamily(
            "provisioning_infras", "Infras that are kept.", labels=["workspace"]
        )
        offset = time.time() - self._service.crew.now()
        for keeper in self._service.keepers.values():
            kept.add_metric([keeper.name], len(keeper.infras))
            if keeper.health.read_at is not None:
                read.add_metric([keeper.name], keeper.health.read_at + offset)
            for infra, last in dict(keeper.health.infras).items():
                ready.add_metric([keeper.name, infra], float(last.good_at == last.at))
                if last.good_at is not None:
                    success.add_metric([keeper.name, infra], last.good_at + offset)
        yield from (ready, success, read, kept)


_REFERENCE_HEAD = """\
# Metrics

`provisioning serve --listen HOST:PORT` tells them at `/metrics`, in the format of Prometheus. A
counter ends in `_total` there, and a histogram in `_bucket`, `_sum` and `_count`. The process's own
`process_…` are told as well. `examples/observability/` has a dashboard and alerts.

| Metric | Type | Labels | Meaning |
| --- | --- | --- | --- |
"""


def render_reference(metrics: Metrics) -> str:
    """Return `docs/reference/metrics.md`, of *metrics* that watch a service."""
    rows = []
    for each in metrics.registry.collect():
        if each.name.startswith("provisioning_"):
            labels = ", ".join(f"`{name}`" for name in LABELS.get(each.name, ())) or "none"
            rows.append(f"| `{each.name}` | {each.type} | {labels} | {each.documentation} |\n")
    return _REFERENCE_HEAD + "".join(sorted(rows))


LABELS = {
    "provisioning_build_info": ("version",),
    "provisioning_cycle_seconds": ("phase", "result"),
    "provisioning_cycles": ("workspace", "result"),
    "provisioning_fetch_failures": ("workspace", "code"),
    "provisioning_fetches": ("workspace",),
    "provisioning_forge_failures": ("workspace",),
    "provisioning_git_exchange_seconds": ("operation", "result"),
    "provisioning_hooks": ("status",),
    "provisioning_infra_last_success_timestamp_seconds": ("workspace", "infra"),
    "provisioning_infra_ready": ("workspace", "infra"),
    "provisioning_infras": ("workspace",),
    "provisioning_operation_retries": ("provider",),
    "provisioning_operations": ("provider", "outcome"),
    "provisioning_provider_throttles": ("provider",),
    "provisioning_queue_depth": ("urgency", "standing"),
    "provisioning_workspace_last_read_timestamp_seconds": ("workspace",),
}
"""The labels of each metric, for people; a test holds them against what is told."""

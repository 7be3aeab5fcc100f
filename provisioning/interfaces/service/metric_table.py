"""The metrics in one table, by which they are built and documented. Values only."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec


class MetricType(StrEnum):
    """What a metric is to Prometheus."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Measure(msgspec.Struct, frozen=True):
    """One metric: its name without `provisioning_`, its form, a sentence, and its labels."""

    stem: str
    form: MetricType
    told: str
    labels: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name as it is built; Prometheus sees a counter's with `_total`."""
        return f"provisioning_{self.stem}"

    @property
    def shown(self) -> str:
        """The name as it is queried; a histogram's gets `_bucket`, `_sum` or `_count`."""
        return f"{self.name}_total" if self.form is MetricType.COUNTER else self.name


def _count(stem: str, told: str, *labels: str) -> Measure:
    return Measure(stem, MetricType.COUNTER, told, labels)


def _gauge(stem: str, told: str, *labels: str) -> Measure:
    return Measure(stem, MetricType.GAUGE, told, labels)


def _time(stem: str, told: str, *labels: str) -> Measure:
    return Measure(f"{stem}_seconds", MetricType.HISTOGRAM, told, labels)


# Counted from the events

CYCLES = _count("cycles", "Cycles that ended.", "workspace", "result")
CYCLE_SECONDS = _time("cycle", "What a cycle took.", "phase", "result")
PUSH_SECONDS = _time("push_to_applied", "From hearing of a push to its run's record.")
DRIFT_SECONDS = _time("drift", "From noticing a change to the record of its healing.")
LOCK_SECONDS = _time("lock_wait", "From finding a lock held to passing it.")
FENCED = _count("fenced_writes", "Writes refused because the lock was lost.")
OPERATIONS = _count("operations", "Operations of runs that ended.", "provider", "outcome")
RETRIES = _count("operation_retries", "Calls to providers that were made again.", "provider")
THROTTLES = _count("provider_throttles", "Calls that a provider asked to be fewer.", "provider")
OPEN = _gauge("operations_open", "Operations begun in a journal and not ended.")
FETCHES = _count("fetches", "Looks for news that went well and found some.", "workspace")
FETCH_FAILURES = _count("fetch_failures", "Looks for news that failed.", "workspace", "code")
EXCHANGE_SECONDS = _time("git_exchange", "Exchanges with remotes.", "operation", "result")
UNTOLD = _count("forge_failures", "Words the forge did not take.", "workspace")
HOOKS = _count("hooks", "Webhooks, by what was answered.", "status")
HUNG = _count("workers_hung", "Workers that hung and were replaced.")
DEFECTS = _count("defects", "Errors that are defects of this program.")
BUILD = _gauge("build_info", "The version; always 1.", "version")

# Looked up when Prometheus asks

READY = _gauge("ready", "1 if the service is ready, as `/readyz` tells, 0 if not.")
QUEUE_DEPTH = _gauge("queue_depth", "Keys that are queued.", "urgency", "standing")
QUEUE_OLDEST = _gauge(
    "queue_oldest_seconds", "For how long the oldest key is ready and no worker has taken it."
)
WORKERS = _gauge("workers", "Workers in all.")
WORKERS_BUSY = _gauge("workers_busy", "Workers at work.")
INFRAS = _gauge("infras", "Infras that are kept.", "workspace")
INFRA_READY = _gauge(
    "infra_ready", "1 if the last cycle of an infra came out well, 0 if not.", "workspace", "infra"
)
INFRA_SUCCESS = _gauge(
    "infra_last_success_timestamp_seconds",
    "When a cycle of an infra came out well last.",
    "workspace",
    "infra",
)
WORKSPACE_READ = _gauge(
    "workspace_last_read_timestamp_seconds",
    "When a workspace was looked at for news last, and that went well.",
    "workspace",
)

MEASURES = tuple(item for item in list(globals().values()) if isinstance(item, Measure))

_HEAD = """\
# Metrics

`provisioning serve --listen HOST:PORT` tells them at `/metrics`, in the format of Prometheus; the
control socket tells the same. A histogram is told as `_bucket`, `_sum` and `_count`, and for each
counter and histogram `_created` tells since when it counts. The process's own `process_…` are told
as well. [`examples/observability/`](../../examples/observability/) has a dashboard and alerts.

| Metric | Type | Labels | Meaning |
| --- | --- | --- | --- |
"""


def render_reference(measures: Iterable[Measure] = MEASURES) -> str:
    """Return `docs/reference/metrics.md`."""
    rows = []
    for measure in measures:
        labels = ", ".join(f"`{name}`" for name in measure.labels) or "none"
        rows.append(f"| `{measure.shown}` | {measure.form} | {labels} | {measure.told} |\n")
    return _HEAD + "".join(sorted(rows))

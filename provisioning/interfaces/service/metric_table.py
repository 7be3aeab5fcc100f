"""The table of the metrics, from which they are built and documented. Values only."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class MetricType(StrEnum):
    """The type of a metric in Prometheus."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Measure(msgspec.Struct, frozen=True):
    """One metric: its name without `provisioning_`, its type, its help text, and its labels."""

    stem: str
    form: MetricType
    help: str
    labels: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of the metric as it is built; Prometheus adds `_total` to a counter's."""
        return f"provisioning_{self.stem}"

    @property
    def shown(self) -> str:
        """The name as it is queried; a histogram's has `_bucket`, `_sum` or `_count` behind it."""
        return f"{self.name}_total" if self.form is MetricType.COUNTER else self.name


def _count(stem: str, help_text: str, *labels: str) -> Measure:
    return Measure(stem, MetricType.COUNTER, help_text, labels)


def _gauge(stem: str, help_text: str, *labels: str) -> Measure:
    return Measure(stem, MetricType.GAUGE, help_text, labels)


def _time(stem: str, help_text: str, *labels: str) -> Measure:
    return Measure(f"{stem}_seconds", MetricType.HISTOGRAM, help_text, labels)


# Counted from the events

CYCLES = _count("cycles", "Cycles that ended.", "workspace", "result")
CYCLE_SECONDS = _time("cycle", "Duration of each phase of a cycle.", "phase", "result")
PUSH_SECONDS = _time("push_to_applied", "Time from a push to the record of its run.")
DRIFT_SECONDS = _time("drift", "Time from a change that a watch saw to the record of its run.")
LOCK_SECONDS = _time("lock_wait", "Time from finding a lock held to acquiring it.")
FENCED = _count("fenced_writes", "Writes refused because the lock was lost.")
OPERATIONS = _count("operations", "Operations that ended.", "provider", "outcome")
RETRIES = _count("operation_retries", "Provider calls that were retried.", "provider")
THROTTLES = _count("provider_throttles", "Provider calls that were throttled.", "provider")
OPEN = _gauge("operations_open", "Operations that began and have not ended.")
FETCHES = _count("fetches", "Fetches that found a new commit or settings.", "workspace")
FETCH_FAILURES = _count("fetch_failures", "Fetches that failed.", "workspace", "code")
EXCHANGE_SECONDS = _time("git_exchange", "Duration of Git exchanges.", "operation", "result")
FORGE_FAILURES = _count("forge_failures", "Forge API calls that failed.", "workspace")
WEBHOOKS = _count("webhooks", "Webhook deliveries, by the status of the answer.", "status")
HUNG = _count("workers_hung", "Workers that hung and were replaced.")
DEFECTS = _count("defects", "Exceptions that are defects of this program.")
BUILD = _gauge("build_info", "The version as a label; always 1.", "version")

# Read on each scrape

READY = _gauge("ready", "1 if the service is ready, as `/readyz` answers, 0 if not.")
QUEUE_DEPTH = _gauge("queue_depth", "Queued work.", "urgency", "status")
QUEUE_OLDEST = _gauge("queue_oldest_seconds", "Time that the oldest ready work has waited.")
WORKERS = _gauge("workers", "Workers.")
WORKERS_BUSY = _gauge("workers_busy", "Workers that have work.")
INFRAS = _gauge("infras", "Infras.", "workspace")
INFRA_READY = _gauge(
    "infra_ready", "1 if the last cycle of the infra succeeded, 0 if not.", "workspace", "infra"
)
INFRA_SUCCESS = _gauge(
    "infra_last_success_timestamp_seconds",
    "Time of the last cycle of the infra that succeeded.",
    "workspace",
    "infra",
)
WORKSPACE_READ = _gauge(
    "workspace_last_read_timestamp_seconds", "Time of the last successful fetch.", "workspace"
)

MEASURES = tuple(item for item in list(globals().values()) if isinstance(item, Measure))

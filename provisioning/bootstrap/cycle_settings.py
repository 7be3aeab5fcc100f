"""Reads the settings of the cycles of an infra, and joins the gates."""

from __future__ import annotations

from provisioning.config.entry_points import list_entry_points
from provisioning.config.layers import Layers
from provisioning.config.windows import read_windows
from provisioning.core.policy.budgets import Budget
from provisioning.core.policy.builtin_gates import GATES
from provisioning.core.policy.gates import Gate, sort_gates
from provisioning.core.scheduling.rate_limits import Limits, RetryPolicy
from provisioning.reconciler.planning.plan_result import Settings


def build_settings(layers: Layers) -> Settings:
    """Return what *layers* say of a cycle.

    Raises:
        InvalidConfiguration: If a window is not what it must be.
    """

    def get(key: str) -> float:
        return float(layers.get(key).value)

    return Settings(
        lock_ttl=None if layers.get("lock.backend").value == "none" else get("lock.ttl"),
        timeout=get("executor.timeout"),
        limits=Limits(
            parallelism=int(get("executor.parallelism")),
            per_provider=int(get("executor.per_provider")),
            retries=RetryPolicy(max_attempts=int(get("executor.max_attempts"))),
        ),
        budget=Budget(
            deletions=layers.get("budget.deletions").value,
            share=layers.get("budget.share").value,
            dependents=layers.get("budget.dependents").value,
        ),
        windows=read_windows(layers),
    )


def list_gates() -> tuple[Gate, ...]:
    """Return every gate, in order.

    Raises:
        InvalidConfiguration: If a package's gate cannot be loaded.
    """
    points = list_entry_points("gates")
    return sort_gates((*GATES, *(point.load(Gate) for point in points))) if points else GATES

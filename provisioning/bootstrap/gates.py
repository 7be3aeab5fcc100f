"""Joins the gates: ours, and those of packages that the operator installed."""

from __future__ import annotations

from provisioning.config.entry_points import list_entry_points
from provisioning.core.policy.builtin_gates import GATES
from provisioning.core.policy.gates import Gate, sort_gates


def list_gates() -> tuple[Gate, ...]:
    """Return every gate, in order.

    Raises:
        InvalidConfiguration: If a package's gate cannot be loaded.
    """
    points = list_entry_points("gates")
    return sort_gates((*GATES, *(point.load(Gate) for point in points))) if points else GATES

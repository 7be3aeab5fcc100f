"""The errors with which a cycle refuses or gives up, in words."""

from __future__ import annotations

from pathlib import Path

from provisioning.core.model.errors import (
    Fenced,
    LockHeld,
    PlanChanged,
    ProvisioningError,
    StorageFailed,
)
from provisioning.core.model.records import Lock, Run
from provisioning.core.statelog.lock_expiry import LockStatus


def describe_changed_plan(infra: str) -> PlanChanged:
    """Build the error for a plan that is not the approved one."""
    return PlanChanged(
        f"what would be applied to {infra} now is not what was approved",
        hint=f"`provisioning plan {infra}` shows the plan as it is now; approve that one",
    )


def describe_held(infra: str, lock: Lock, lock_status: LockStatus) -> LockHeld:
    """Build the error that says who holds *infra*, since when, why, and how to go on."""
    what = f"run {lock.run.partition('-')[0]}" if lock.run else "a hold"
    left = lock_status.remaining
    end = "it does not expire" if left is None else f"it expires in {left:.0f} s unless renewed"
    error = LockHeld(
        f"{infra} is locked by {lock.holder} since {lock.acquired_at}, "
        f"for {what} ({lock.reason}); {end}",
        hint=f"wait, or see `provisioning lock explain {infra}`",
    )
    error.remaining = left
    return error


def describe_unrecorded(run: Run, cause: ProvisioningError, journal: Path) -> ProvisioningError:
    """Build the error for a run whose effects stand in the world and not in the state log."""
    if isinstance(cause, Fenced):
        return cause
    made = sum(1 for change in run.changes if change.error is None)
    return StorageFailed(
        f"{made} of {len(run.changes)} changes were made, but could not be recorded: "
        f"{cause.message}",
        hint=f"nothing is lost, {journal} has them; mend that and run `provisioning reconcile`",
    )

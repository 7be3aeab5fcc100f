"""Compute a plan from desired, recorded and live state; derive operations from it."""

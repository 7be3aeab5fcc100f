"""Explanations: the provenance of values, the impact of changes, history, drift, health."""

"""Explanations: where a value comes from, what a change affects, what is unhealthy."""

"""Derive from state what people ask: conditions, graphs, impact, provenance."""

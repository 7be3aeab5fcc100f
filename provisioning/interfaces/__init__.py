"""Interfaces: each parses a request, calls a use case, and renders the result."""

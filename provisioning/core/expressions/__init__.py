"""Interpolations, and the references to resources in them."""

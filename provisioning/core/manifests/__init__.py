"""Turns the bytes of manifests into typed resources, each with its file and line."""

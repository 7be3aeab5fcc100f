"""Decide what a service does next, and how long it waits before a retry."""

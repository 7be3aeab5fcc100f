"""The long-running service: its process, its two doors, its logs and its metrics.

What it does next and how is decided in `controller`; here is how the world talks to it.
"""

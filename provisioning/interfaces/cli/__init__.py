"""Parses, calls, renders. Heavy libraries load only when a command needs them."""

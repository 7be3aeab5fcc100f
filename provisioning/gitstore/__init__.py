"""Reads the workspace from Git and keeps the state log, locks and journal."""

"""Branches besides the state log: those of reviews and of drift pull requests."""

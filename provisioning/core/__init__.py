"""Decides, and never touches the world: no I/O, clock, randomness, log or await."""

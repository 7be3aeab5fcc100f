"""The loop of the long-running service: what is done next, by whom, and what came of it."""

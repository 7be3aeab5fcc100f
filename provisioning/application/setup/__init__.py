"""Use cases that set up a workspace, its settings and its forge."""

"""Commands that set up a workspace, its settings, secrets, forge and service."""

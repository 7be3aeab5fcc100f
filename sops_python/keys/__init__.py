"""Master keys: what wraps the data key of a SOPS file, and unwraps it."""

"""The fields and the schema of a kind, compiled for quick use."""

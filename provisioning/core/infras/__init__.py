"""Dependencies between infras, and the order they imply."""

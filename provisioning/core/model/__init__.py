"""The values that every other room of the core speaks of."""

"""Use cases that plan, apply, or write to a state log."""

"""Commands that plan, change the world, or write to a state log or a branch."""

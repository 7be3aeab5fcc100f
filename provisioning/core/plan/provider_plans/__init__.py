"""Plans that providers make by themselves, and their checks."""

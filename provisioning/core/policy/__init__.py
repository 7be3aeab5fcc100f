"""Gates, budgets, windows and suspensions: what a plan must pass before it is applied."""

"""Reviews of pull requests: plan, comment, answer, and record."""

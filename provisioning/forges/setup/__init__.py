"""Compare how a repository is set up at its forge with how it must be."""

"""Why a change that no test notices is none, or is none that a test should notice."""

EXPLAINED: dict[tuple[str, str], str] = {}
"""By module, and the name of the mutant."""

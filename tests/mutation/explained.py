"""Why a change that no test notices is none, or is none that a test should notice."""

SAME_TRUTH = "The caller asks only whether it is true, and both are not."
SHORTCUT = "A shortcut: without it the comparison below comes to the same result, later."

EQUAL = "Only what is equal is replaced, and the comparison below finds it equal, too."

EXPLAINED: dict[tuple[str, str], str] = {
    ("planning", "`return False` → `return None`"): SAME_TRUTH,
    ("diffs", "`if wanted is actual or (type(wanted) is type(actual) is str"): SHORTCUT,
    ("diffs", "`isinstance(actual, Omitted) and isinstance(wanted, Secret)`"): EQUAL,
    (
        "diffs",
        "`if isinstance(actual, Omitted) and isinstance(wanted, Secret): …`",
    ): EQUAL,
}
"""By module, and how the name of the mutant begins."""


def explain(module: str, name: str) -> str:
    """Return what is said of the mutant *name*."""
    found = (
        text for key, text in EXPLAINED.items() if key[0] == module and name.startswith(key[1])
    )
    return next(found, "Not explained: a test is missing.")

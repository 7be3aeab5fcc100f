"""Why a change that no test notices is none, or is none that a test should notice."""

SAME_TRUTH = "The caller asks only whether it is true, and both are not."
SHORTCUT = "A shortcut: without it the comparison below comes to the same result, later."

EQUAL = "Only what is equal is replaced, and the comparison below finds it equal, too."

EARLIER = "A shortcut: without it the same is computed, of nothing."

TYPES = "For the types alone: what is made is always asked for."

RECORDED = "Only what is recorded is handed over, so that for all else there is none to be found."

LEAVES = "What has no record depends on nothing, so that its place in this order is none."

MORE_DAYS = "Looks at one day more, at which nothing is found."

LONGEST = "The pause is at its longest long before."

AT_ONCE = "At that very moment both are taken by the same look."

NO_LINE = "A field without a line is none of the document's own keys, which are on its first line."

EXPLAINED: dict[tuple[str, str], str] = {
    ("plan.compute", "`return False` → `return None`"): SAME_TRUTH,
    ("plan.diff", "`if wanted is actual or (type(wanted) is type(actual) is str"): SHORTCUT,
    ("plan.diff", "`isinstance(actual, Omitted) and isinstance(wanted, Secret)`"): EQUAL,
    (
        "diffs",
        "`if isinstance(actual, Omitted) and isinstance(wanted, Secret): …`",
    ): EQUAL,
    ("plan.prune", "`recorded.handovers.get(record.id) if is_proven"): RECORDED,
    ("policy.gates", "`if not verdicts or not allowed: …` → `if False: …`"): EARLIER,
    ("model.graph", "`return False` → `return None`"): SAME_TRUTH,
    ("plan.operations", "`change.resource.dependencies if change.resource else ()`"): TYPES,
    ("plan.operations", "`0` → `1`"): LEAVES,
    ("plan.plan_cache", "`return False` → `return None`"): SAME_TRUTH,
    ("policy.conflicts", "`return False` → `return None`"): SAME_TRUTH,
    ("policy.budgets", "`if not replaced: …` → `if False: …`"): EARLIER,
    ("policy.windows", "`1` → `2`"): MORE_DAYS,
    ("policy.windows", "`2` → `3`"): MORE_DAYS,
    ("policy.cron", "`1` → `2`"): MORE_DAYS,
    ("scheduling.backoff", "`16` → `17`"): LONGEST,
    ("scheduling.workqueue", "`entry.due > now` → `entry.due >= now`"): AT_ONCE,
    ("reviews.drift_acceptance", "`0` → `1`"): NO_LINE,
}
"""By module, and how the name of the mutant begins."""


def explain(module: str, name: str) -> str:
    """Return what is said of the mutant *name*."""
    found = (
        text for key, text in EXPLAINED.items() if key[0] == module and name.startswith(key[1])
    )
    return next(found, "Not explained: a test is missing.")

"""Why a change that no test notices is none, or is none that a test should notice."""

SAME_TRUTH = "The caller uses only the truth of the result, and both results are false."
SHORTCUT = "A shortcut: without it the comparison below gives the same result later."

EQUAL = (
    "The replacement concerns only equal values, and the comparison below finds them equal, too."
)

EARLIER = "A shortcut: without it the same result is computed from nothing."

TYPES = "The condition is for the types: a created resource is always desired."

RECORDED = "Only a recorded resource can move between infras, so any other has no move."

LEAVES = "A resource without a record has no dependencies, so its position does not matter."

MORE_DAYS = "The search covers one more day, which never has a match."

LONGEST = "The pause reaches its maximum much earlier."

AT_ONCE = "At that moment the same call takes both."

NO_LINE = "A field without a line is not a key of the document itself; those are on its first line."

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

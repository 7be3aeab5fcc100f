"""The findings of `doctor` as text."""

from __future__ import annotations

from collections.abc import Sequence

from click import style

from provisioning.core.status.health_checks import Checkup, Health

COLOURS = {Health.GOOD: "green", Health.DOUBTFUL: "yellow", Health.BAD: "red"}


def render_checkup(checkup: Checkup, *, is_first: bool) -> str:
    """Return a check, below its area's name if it is the first of it, and its remedy."""
    lines = [style(checkup.area, bold=True)] if is_first else []
    health = style(f"{checkup.health:<8}", fg=COLOURS[checkup.health])
    lines.append(f"  {health}  {checkup.name}: {checkup.message}")
    if checkup.remedy and checkup.health is not Health.GOOD:
        lines.append(style(f"            {checkup.remedy}", dim=True))
    return "\n".join(lines)


def render_verdict(checkups: Sequence[Checkup]) -> str:
    """Return how many are not well."""
    bad = sum(each.health is Health.BAD for each in checkups)
    doubtful = sum(each.health is Health.DOUBTFUL for each in checkups)
    if not bad and not doubtful:
        return style(f"{len(checkups)} checks, all good.", fg="green")
    return f"{len(checkups)} checks: {bad} bad, {doubtful} doubtful."

"""The findings of `doctor` as text."""

from __future__ import annotations

from collections.abc import Sequence

from click import style

from provisioning.core.status.health_checks import Health, HealthReport

COLOURS = {Health.OK: "green", Health.WARNING: "yellow", Health.ERROR: "red"}


def render_health_report(health_report: HealthReport, *, is_first: bool) -> str:
    """Return a check, below its area's name if it is the first of it, and its remedy."""
    lines = [style(health_report.area, bold=True)] if is_first else []
    health = style(f"{health_report.health:<8}", fg=COLOURS[health_report.health])
    lines.append(f"  {health}  {health_report.name}: {health_report.message}")
    if health_report.remedy and health_report.health is not Health.OK:
        lines.append(style(f"            {health_report.remedy}", dim=True))
    return "\n".join(lines)


def render_health_summary(checkups: Sequence[HealthReport]) -> str:
    """Return the number of checks, of warnings and of errors."""
    errors = sum(checkup.health is Health.ERROR for checkup in checkups)
    warnings = sum(checkup.health is Health.WARNING for checkup in checkups)
    if not errors and not warnings:
        return style(f"{len(checkups)} checks, all ok.", fg="green")
    counts = ((errors, "error"), (warnings, "warning"))
    summary = ", ".join(f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counts)
    return f"{len(checkups)} checks: {summary}."

"""Plans and reports as text."""

from __future__ import annotations

from collections.abc import Iterator

from click import style

from provisioning.core.model.records import Action, Change, Run
from provisioning.core.model.values import Tree
from provisioning.core.plan.diff import Cause, FieldChange
from provisioning.core.plan.plan import Plan, PlannedChange
from provisioning.core.plan.text import (
    describe_work,
    is_multiline,
    render_text_diff,
    render_value,
)
from provisioning.core.policy.gates import GateViolation

SIGNS = {
    Action.CREATE: ("+", "green"),
    Action.UPDATE: ("~", "yellow"),
    Action.REPLACE: ("±", "magenta"),
    Action.DELETE: ("-", "red"),
    Action.ADOPT: ("»", "cyan"),
    Action.FORGET: ("«", "cyan"),
}

MOST_LINES = 40
"""Lines shown of one field's diff."""


def render_plan(plan: Plan, violations: tuple[GateViolation, ...] = ()) -> str:
    """Return *plan* as people read it: only what changes, why, and the counts last."""
    lines = [style(plan.infra, bold=True) + style(f"  at {plan.commit[:10]}", dim=True), ""]
    for change in plan.changes:
        lines += [*_render_change(change), ""]
    for drifted in plan.drifted:
        lines.append(style(f"  ! {drifted.id}", fg="cyan") + "  has drifted, and is left so")
        lines += [*render_fields(drifted.fields), ""]
    for blocked in plan.blocked:
        source = style(f"  {blocked.source}", dim=True) if blocked.source else ""
        lines.append(style(f"  ✗ {blocked.id}", fg="red") + f"  blocked: {blocked.reason}{source}")
        lines += [style(f"      {blocked.hint}", dim=True)] if blocked.hint else []
        lines.append("")
    for violation in violations:
        lines.append(style(f"  ✗ {violation.code}", fg="red") + f"  {violation.reason}")
        lines += [style(f"      {violation.hint}", dim=True), ""]
    lines.append(render_summary(plan))
    return "\n".join(lines)


def render_summary(plan: Plan) -> str:
    """Return the counts, the ones that are not zero."""
    summary = plan.summary
    rest = f"{summary['unchanged']} unchanged"
    if summary["blocked"]:
        rest += f", {summary['blocked']} blocked"
    work = describe_work(plan)
    if not work:
        return f"Nothing to do: {rest}."
    return style("Plan: ", bold=True) + f"{work}; {rest}."


def _render_change(change: PlannedChange) -> Iterator[str]:
    sign, colour = SIGNS[change.action]
    source = style(f"  {change.source}", dim=True) if change.source.file else ""
    yield style(f"  {sign} {change.id}", fg=colour) + f"  {change.reason}{source}"
    if change.warning:
        yield style(f"      {change.warning}", fg="yellow")
    if change.origin:
        yield f"      moved from {change.origin}"
    yield from render_fields(change.fields)


def render_fields(fields: tuple[FieldChange, ...]) -> Iterator[str]:
    """Yield changed fields, text as a unified diff, sensitive values masked."""
    width = max((len(item.path) for item in fields), default=0)
    for field in fields:
        note = (
            style("  forces replacement", fg="magenta")
            if field.replaces and field.before is not None
            else ""
        )
        drift = style("  (drift)", dim=True) if field.cause is Cause.DRIFT and field.path else ""
        if is_multiline(field):
            yield f"      {field.path}{note}{drift}"
            yield from _render_text_diff(field.before, field.after)
        else:
            yield f"      {field.path:<{width}}  {_render_step(field)}{note}{drift}"


def _render_step(field: FieldChange) -> str:
    after = style(render_value(field.after), fg="green")
    if field.before is None:
        return after
    return f"{render_value(field.before)} → {after}"


def _render_text_diff(before: Tree, after: Tree) -> Iterator[str]:
    lines = render_text_diff(before, after)
    for line in lines[:MOST_LINES]:
        yield "        " + style(line, fg=_get_diff_colour(line))
    if len(lines) > MOST_LINES:
        yield style(f"        … {len(lines) - MOST_LINES} more lines", dim=True)


def _get_diff_colour(line: str) -> str | None:
    return {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])


def render_run(run: Run) -> str:
    """Return what became of a run: failures with their hints, and the counts last."""
    lines = [_render_failure(item) for item in run.changes if item.error]
    counts: dict[str, int] = {}
    for change in run.changes:
        counts[change.outcome] = counts.get(change.outcome, 0) + 1
    story = ", ".join(f"{count} {outcome}" for outcome, count in counts.items()) or "no changes"
    colour = "green" if run.result == "done" else "red"
    return "\n".join([*lines, style(f"Run {run.number} {run.result}: ", fg=colour) + f"{story}."])


def _render_failure(change: Change) -> str:
    text = style(f"  ✗ {change.id}", fg="red") + f"  {change.outcome}: {change.error}"
    return text + (style(f"\n      {change.hint}", dim=True) if change.hint else "")

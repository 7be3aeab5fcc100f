"""A running service, in words."""

from __future__ import annotations

from typing import Any

import click

GOOD = frozenset({"applied", "unchanged"})


def render_status(shape: dict[str, Any]) -> str:
    """Return the state of a service and of every infra."""
    lines = [
        click.style("ready", fg="green") if shape["ready"] else click.style("not ready", fg="red")
    ]
    lines += [f"  {item}" for item in shape["problems"]]
    if shape["paused"]:
        lines.append("  everything is paused; `provisioning serve resume` ends that")
    lines += [f"  {item} is paused" for item in shape["pausedInfras"]]
    lines += [f"  working on {item['key']}: {item['reason']}" for item in shape["running"]]
    if shape["queued"]:
        lines.append(f"  {shape['queued']} queued; `provisioning serve queue` lists them")
    for workspace in shape["workspaces"]:
        commit = workspace["commit"]
        place = f"at {commit[:10]}" if commit else "not read yet"
        lines.append(f"\n{click.style(workspace['workspace'], bold=True)}  {place}")
        lines += [_render_infra(item) for item in workspace["infras"]]
    return "\n".join(lines)


def _render_infra(shape: dict[str, Any]) -> str:
    result = shape["result"]
    if "sentence" not in shape:
        return f"  {shape['infra']}: not reconciled yet"
    colour = "green" if result in GOOD else "red"
    again = shape["retryInSeconds"]
    rest = f"; again in {again:.0f} s" if again is not None else ""
    ago = f" ({shape['secondsAgo']:.0f} s ago{rest})"
    return f"  {click.style(result, fg=colour)}  {shape['sentence']}{ago}"


def render_queue(work: list[dict[str, Any]]) -> str:
    """Return a line for each piece of work."""
    if not work:
        return "nothing is queued"
    lines = []
    for item in work:
        rest = item["reason"]
        if item["waitsFor"]:
            rest += f"; waits for {item['waitsFor']}"
        if item["dueInSeconds"] is not None:
            rest += f"; in {item['dueInSeconds']:.0f} s"
        if item["failures"]:
            rest += f"; after {item['failures']} failure{'s' * (item['failures'] != 1)}"
        lines.append(
            f"{item['status']:<8} {item['urgency']:<7} {item['seconds']:>7.1f} s  "
            f"{item['key']}  {rest}"
        )
    return "\n".join(lines)


def render_event(shape: dict[str, Any]) -> str | None:
    """Return an event of a cycle as a line; None for what goes without saying."""
    match shape["action"]:
        case "cycle-begun":
            return f"{shape['infra']}: reconciling {shape['commit'][:10]}"
        case "cycle-ended":
            hint = f"\n  hint: {shape['hint']}" if shape.get("hint") else ""
            return f"{shape['sentence']}{hint}"
        case "operation-ended" | "operation-waiting" | "operation-retried":
            return f"  {shape['id']}: {shape['text']}"
        case "taken-over" | "replanned":
            return f"  {shape['text']}"
    return None

"""Findings and steps of a forge's setup, as text."""

from __future__ import annotations

from collections.abc import Sequence

from click import style

from provisioning.forges.setup.findings import SetupAction, SetupFinding, SetupState, SetupStep

SIGNS = {SetupAction.CREATE: "+", SetupAction.UPDATE: "~", SetupAction.REPLACE: "±"}
COLOURS = {
    SetupState.OK: "green",
    SetupState.MISSING: "yellow",
    SetupState.WRONG: "red",
    SetupState.UNKNOWN: "cyan",
}
_WIDTH = max(len(item) for item in SetupState)


def render_findings(findings: Sequence[SetupFinding]) -> str:
    """Return a line for each finding, and what to do below it."""
    lines = []
    for finding in findings:
        state = style(finding.standing.ljust(_WIDTH), fg=COLOURS[finding.standing])
        lines.append(f"{state}  {finding.subject}: {finding.told}")
        if finding.hint:
            lines.append(f"{' ' * _WIDTH}  {style('hint:', fg='cyan')} {finding.hint}")
    return "\n".join(lines)


def render_steps(steps: Sequence[SetupStep]) -> str:
    """Return what is to be done, a block for each step."""
    lines = []
    for step in steps:
        lines.append(f"  {SIGNS[step.action]} {step.subject}")
        lines += [f"      {detail}" for detail in step.details]
    return "\n".join(lines)

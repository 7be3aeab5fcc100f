"""`forge setup|check`: the repository's rules at its forge."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from provisioning.interfaces.cli.runs.plan import BLOCKED
from provisioning.interfaces.cli.session import Session, output_option, pass_session, print_shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provisioning.bootstrap.forge_setup import Setup
    from provisioning.forges.setup.findings import SetupFinding, SetupStep

webhook_option = click.option(
    "--webhook", "hook", metavar="URL", help="Where pushes and pull requests are told."
)


@click.group()
def forge() -> None:
    """Set the repository up at its forge, and check it."""


@forge.command()
@webhook_option
@output_option
@pass_session
def check(session: Session, hook: str | None, output: str) -> int:
    """Tell what is missing or wrong at the forge, and what to do; change nothing."""
    from provisioning.bootstrap.forge_setup import build_setup
    from provisioning.interfaces.cli.render.forge import render_findings

    findings = build_setup(session.open_workspace(), hook).look()
    if output == "text":
        click.echo(render_findings(findings))
    else:
        print_shape([_shape_finding(finding) for finding in findings], output)
    return BLOCKED if any(_is_bad(finding) for finding in findings) else 0


@forge.command()
@webhook_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@output_option
@pass_session
def setup(session: Session, hook: str | None, *, yes: bool, output: str) -> int:
    """Show what is to be done at the forge, ask, and do it: each step only where it is needed."""
    from provisioning.bootstrap.forge_setup import build_setup
    from provisioning.core.model.errors import InvalidArgument
    from provisioning.forges.setup.checks import list_obstacles
    from provisioning.interfaces.cli.render.forge import render_findings, render_steps

    if not yes and not sys.stdin.isatty():
        raise InvalidArgument(
            "without a terminal nobody can say yes",
            hint="see what is missing with `provisioning forge check`; or pass --yes",
        )
    joined = build_setup(session.open_workspace(), hook)
    findings = joined.look()
    steps = (
        [] if list_obstacles(findings) else [finding.step for finding in findings if finding.step]
    )
    is_text = output == "text"
    if steps:
        click.echo(render_steps(steps), err=not is_text)
        if not yes:
            click.confirm("Do it?", abort=True, err=not is_text)
    done = _do(joined, steps, output)
    left = [item for item in (joined.look() if done else findings) if _is_bad(item)]
    if is_text:
        if not steps and not left:
            click.echo("nothing to do")
        if left:
            click.echo(render_findings(left))
    else:
        print_shape({"steps": done, "left": [_shape_finding(item) for item in left]}, output)
    return BLOCKED if left else 0


def _do(joined: Setup, steps: Sequence[SetupStep], output: str) -> list[dict[str, Any]]:
    """Do each step, and return their shapes; where one fails, those that were done are told."""
    done: list[dict[str, Any]] = []
    try:
        for step in steps:
            joined.apply(step.change)
            done.append(_shape_step(step))
            if output == "text":
                click.echo(f"{step.subject}: {step.action}d")
    except BaseException:
        if output != "text":
            print_shape({"steps": done, "left": None}, output)
        raise
    return done


def _is_bad(finding: SetupFinding) -> bool:
    from provisioning.forges.setup.findings import SetupState

    return finding.standing in {SetupState.MISSING, SetupState.WRONG}


def _shape_finding(finding: SetupFinding) -> dict[str, Any]:
    return {
        "subject": finding.subject,
        "standing": finding.standing,
        "told": finding.told,
        "hint": finding.hint,
    }


def _shape_step(step: SetupStep) -> dict[str, Any]:
    return {
        "action": step.action,
        "subject": step.subject,
        "details": list(step.details),
        "outcome": f"{step.action}d",
    }

"""`forge setup|check`: the repository's rules at its forge."""

from __future__ import annotations

import click

from provisioning.interfaces.cli.arguments import yes_option
from provisioning.interfaces.cli.runs.exit_codes import BLOCKED
from provisioning.interfaces.cli.session import (
    Session,
    output_option,
    pass_session,
    print_shape,
    print_shapes,
)

CHECK_HINT = "see what is missing with `provisioning forge check`; or pass --yes"

webhook_option = click.option(
    "--webhook", "hook", metavar="URL", help="Where the forge sends pushes and pull requests."
)


@click.group()
def forge() -> None:
    """Set the repository up at its forge, and check it."""


@forge.command()
@webhook_option
@output_option
@pass_session
def check(session: Session, hook: str | None, output: str) -> int:
    """Show the problems of the setup at the forge, and their remedies; change nothing."""
    from provisioning.application.setup.forge import CheckForgeRequest, is_bad

    findings = session.call(CheckForgeRequest(hook=hook))
    if output == "text":
        from provisioning.interfaces.cli.render.forge import render_findings

        click.echo(render_findings(findings))
    else:
        from provisioning.interfaces.schema.reviews import FindingDocument

        print_shapes(map(FindingDocument.of, findings), output)
    return BLOCKED if any(map(is_bad, findings)) else 0


@forge.command()
@webhook_option
@yes_option
@output_option
@pass_session
def setup(session: Session, hook: str | None, *, yes: bool, output: str) -> int:
    """Show the steps that the forge needs, ask, and take them."""
    from provisioning.application.context import Notice, StepDone
    from provisioning.application.setup.forge import SetupForgeRequest
    from provisioning.interfaces.cli.confirmation import check_terminal
    from provisioning.interfaces.cli.render.forge import render_findings
    from provisioning.interfaces.cli.render.notices import NoticePrinter
    from provisioning.interfaces.schema.reviews import SetupDocument

    check_terminal(asks=not yes, hint=CHECK_HINT)
    is_text, done = output == "text", []
    show = NoticePrinter(as_text=is_text)

    def notify(notice: Notice) -> None:
        done.extend([notice.step] if isinstance(notice, StepDone) else [])
        show(notice)

    def confirm(question: str) -> None:
        if not yes:
            click.confirm(question, abort=True, err=not is_text)

    try:
        found = session.call(SetupForgeRequest(hook=hook), notify=notify, confirm=confirm)
    except BaseException:
        if done and not is_text:
            print_shape(SetupDocument.of(None, steps=done, left=None), output)
        raise
    if not is_text:
        print_shape(SetupDocument.of(found), output)
    elif found.left:
        click.echo(render_findings(found.left))
    elif not found.steps:
        click.echo("nothing to do")
    return BLOCKED if found.left else 0

"""`undo`: the desired state before a run, as a new commit."""

from __future__ import annotations

import click

from provisioning.interfaces.cli.arguments import split_run, yes_option
from provisioning.interfaces.cli.session import Session, output_option, pass_session, print_shape


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="[INFRA] RUN")
@yes_option
@click.option("--pr", is_flag=True, help="Open a pull request instead.")
@output_option
@pass_session
def undo(session: Session, names: tuple[str, ...], output: str, *, yes: bool, pr: bool) -> int:
    """Bring back the desired state before RUN by a new commit on the branch.

    Shows the plan that the commit leads to, and asks. It applies nothing: the next run does.
    """
    from provisioning.application.runs.undo import ProposeUndoRequest, UndoRequest

    infra, run = split_run(names)
    request = (ProposeUndoRequest if pr else UndoRequest)(run=run, infra=infra)
    found = session.act(request, output, "undo", yes=yes)
    if output != "text":
        from provisioning.interfaces.schema.explanations import UndoDocument

        return print_shape(UndoDocument.of(found), output)
    where = f"{found.branch} is at {found.undo_plan.commit[:10]}"
    click.echo(found.url or f"{where}; `provisioning apply {found.infra}`")
    return 0

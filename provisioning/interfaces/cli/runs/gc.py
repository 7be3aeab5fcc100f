"""`gc`: the old entries of a state log become a snapshot."""

from __future__ import annotations

from pathlib import Path

import click

from provisioning.interfaces.cli.arguments import Duration, infra_argument, yes_option
from provisioning.interfaces.cli.session import Session, output_option, pass_session, print_shapes


@click.command()
@infra_argument
@click.option(
    "--keep", type=Duration(), default=None, help="As in 30d, in place of `log.retention`."
)
@click.option(
    "--archive",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Write each whole log to a Git bundle in this folder first.",
)
@yes_option
@output_option
@pass_session
def gc(
    session: Session,
    infra: str | None,
    keep: float | None,
    archive: Path | None,
    output: str,
    *,
    yes: bool,
) -> int:
    """Compact the old part of the state log of INFRA (of all by default) into a snapshot.

    Records, desired states and newer entries stay as they are. Of the older runs only their
    numbers are known afterwards.
    """
    from provisioning.application.runs.gc import CompactRequest
    from provisioning.interfaces.cli.confirmation import build_confirm
    from provisioning.interfaces.cli.render.notices import NoticePrinter

    def confirm(question: str) -> None:
        if output == "text" and archive is None:
            click.echo("`--archive FOLDER` would keep the whole log in a file.")
        build_confirm(yes=yes, command="gc")(question)

    found = session.call(
        CompactRequest(infra=infra, seconds=keep, archive=archive),
        notify=NoticePrinter(as_text=output == "text"),
        confirm=confirm,
    )
    if output != "text":
        from provisioning.interfaces.schema.states import CompactionDocument

        print_shapes(map(CompactionDocument.of, found), output)
    return 0

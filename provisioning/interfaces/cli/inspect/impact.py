"""`impact`: what a change of files can affect."""

from __future__ import annotations

from pathlib import Path

import click

from provisioning.interfaces.cli.session import Session, output_option, pass_session, print_shape


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="FILE...|COMMIT")
@output_option
@pass_session
def impact(session: Session, names: tuple[str, ...], output: str) -> int:
    """Show which infras and resources a change of FILE, or COMMIT, can affect, and why.

    A commit is compared with its first parent; OLD..NEW compares two.
    """
    from provisioning.application.inspect.explain import ImpactRequest

    found = session.call(ImpactRequest(names=names, folder=Path(session.folder)))
    if output != "text":
        from provisioning.interfaces.schema.explanations import ImpactsDocument

        return print_shape(ImpactsDocument.of(found), output)
    from provisioning.interfaces.cli.render.provenance import render_impact

    click.echo(render_impact(found.infras, found.ignored))
    return 0

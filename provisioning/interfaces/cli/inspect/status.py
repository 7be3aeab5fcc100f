"""`status`, `get`, `diff`, `log` and `fsck`: the state logs and the live resources."""

from __future__ import annotations

import click

from provisioning.interfaces.cli.arguments import infra_argument
from provisioning.interfaces.cli.session import Session, output_option, pass_session, print_shapes

PAGE = 50
"""Entries of a state log that are shown at once."""


@click.command()
@infra_argument
@output_option
@pass_session
def status(session: Session, infra: str | None, output: str) -> int:
    """Show whether INFRA (all by default) is as Git desires it, from the state log alone."""
    from provisioning.application.inspect.status import StatusRequest

    found = session.call(StatusRequest(infra=infra))
    if output != "text":
        from provisioning.interfaces.schema.states import StatusDocument

        return print_shapes(map(StatusDocument.of, found), output, infra)
    from provisioning.interfaces.cli.render.status import render_status

    click.echo("\n".join(map(render_status, found)) or "no infra yet; make infra/NAME")
    return 0


@click.command()
@infra_argument
@click.argument("ids", nargs=-1, metavar="[ID]...")
@output_option
@pass_session
def get(session: Session, infra: str | None, ids: tuple[str, ...], output: str) -> int:
    """List the recorded resources of INFRA (all by default), or show those with these IDs."""
    from provisioning.application.inspect.status import GetRequest

    if infra and "/" in infra:
        ids, infra = (infra, *ids), None
    found = session.call(GetRequest(infra=infra, ids=ids))
    if output != "text":
        from provisioning.interfaces.schema.states import ResourcesDocument

        return print_shapes(map(ResourcesDocument.of, found), output, infra)
    from provisioning.interfaces.cli.render.status import render_records

    for item in found:
        if len(found) > 1:
            click.echo(click.style(f"\n{item.infra}", bold=True))
        click.echo(render_records(item.records))
    return 0


@click.command()
@infra_argument
@output_option
@pass_session
def diff(session: Session, infra: str | None, output: str) -> int:
    """Compare live resources with their records, whatever Git desires now."""
    from provisioning.application.inspect.status import DiffRequest

    found = session.call(DiffRequest(infra=infra))
    if output != "text":
        from provisioning.interfaces.schema.states import DriftDocument

        return print_shapes(map(DriftDocument.of, found), output, infra)
    from provisioning.interfaces.cli.render.status import render_difference

    for item in found:
        click.echo(render_difference(item))
    return 0


@click.command()
@infra_argument
@click.option(
    "-n", "--limit", type=click.IntRange(min=1), default=PAGE, show_default=True, help="How many."
)
@click.option("--all", "everything", is_flag=True, help="Show every entry.")
@output_option
@pass_session
def log(session: Session, infra: str | None, limit: int, *, everything: bool, output: str) -> int:
    """Show INFRA's state log, newest entry first, as `git log provisioning/INFRA` does."""
    from provisioning.application.inspect.history import LogRequest

    found = session.call(LogRequest(infra=infra, limit=None if everything else limit))
    if output != "text":
        from provisioning.interfaces.schema.states import LogDocument

        return print_shapes(map(LogDocument.of, found), output, infra)
    from provisioning.interfaces.cli.render.status import render_log

    for item in found:
        if len(found) > 1:
            click.echo(click.style(f"{item.infra}", bold=True))
        click.echo(render_log(item.entries) or f"{item.infra} was never applied")
        if item.has_more:
            click.echo(click.style(f"… older: `provisioning log {item.infra} --all`", dim=True))
    return 0


@click.command()
@infra_argument
@output_option
@pass_session
def fsck(session: Session, infra: str | None, output: str) -> int:
    """Prove INFRA's state log from its history: linear, fenced, complete."""
    from provisioning.application.inspect.history import FsckRequest

    found = session.call(FsckRequest(infra=infra))
    if output == "text":
        from provisioning.interfaces.cli.render.status import render_proof

        for item in found:
            click.echo(render_proof(item))
    else:
        from provisioning.interfaces.schema.states import ProofDocument

        print_shapes(map(ProofDocument.of, found), output, infra)
    return 1 if any(item.proof.findings for item in found) else 0

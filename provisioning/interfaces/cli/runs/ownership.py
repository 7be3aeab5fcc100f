"""`forget`, `import` and `adopt`: which resources an infra owns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from provisioning.interfaces.cli.arguments import infra_argument, split_names, yes_option
from provisioning.interfaces.cli.session import (
    Session,
    output_option,
    pass_session,
    print_shape,
    print_shapes,
)

if TYPE_CHECKING:
    from provisioning.application.runs.ownership import (
        ForgetRequest,
        ImportResourceRequest,
        OwnershipResult,
    )
    from provisioning.interfaces.schema.plans import RunDocument

reason_option = click.option("--reason", default=None, help="Why, for the state log.")


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="[INFRA] ID")
@yes_option
@reason_option
@output_option
@pass_session
def forget(
    session: Session, names: tuple[str, ...], reason: str | None, output: str, *, yes: bool
) -> int:
    """Stop managing the resource ID without deleting it.

    Git must not desire it any more, or the next run would take it back.
    """
    from provisioning.application.runs.ownership import ForgetRequest

    infra, ids = split_names(names)
    if len(ids) != 1:
        raise click.UsageError("give one id, as in File/motd")
    request = ForgetRequest(id=ids[0], infra=infra, reason=reason or "forget")
    return _change(session, request, output, yes=yes, command="forget")


@click.command(name="import")
@click.argument("names", nargs=-1, required=True, metavar="[INFRA] KIND/NAME PLACE")
@yes_option
@reason_option
@output_option
@pass_session
def import_(
    session: Session, names: tuple[str, ...], reason: str | None, output: str, *, yes: bool
) -> int:
    """Take over the object at PLACE as the resource KIND/NAME, which a manifest describes.

    PLACE is a path for kinds that are found by path, else the provider's own id. The plan shows
    the changes; an object that somebody else owns is refused.
    """
    from provisioning.application.runs.ownership import ImportResourceRequest

    infra, rest = (names[0], names[1:]) if "/" not in names[0] else (None, names)
    if len(rest) != 2:  # noqa: PLR2004  an id and a place
        raise click.UsageError("give an id and a place, as in File/motd etc/motd")
    request = ImportResourceRequest(
        id=rest[0], place=rest[1], infra=infra, reason=reason or "import"
    )
    return _change(session, request, output, yes=yes, command="import")


@click.command()
@infra_argument
@click.option("--all", "everything", is_flag=True, help="Also resources that Git does not desire.")
@yes_option
@reason_option
@output_option
@pass_session
def adopt(
    session: Session,
    infra: str | None,
    reason: str | None,
    output: str,
    *,
    everything: bool,
    yes: bool,
) -> int:
    """Rebuild a lost state log of INFRA (of all by default) from the ownership marks.

    It records marked resources that no record has, and changes nothing in the world.
    """
    from provisioning.application.runs.ownership import AdoptRequest

    request = AdoptRequest(infra=infra, everything=everything, reason=reason or "adopt")
    found = session.act(request, output, "adopt", yes=yes)
    if output != "text":
        return print_shapes(map(_describe, found), output, infra)
    for result in found:
        _show_run(result)
    return 0


def _change(
    session: Session,
    request: ForgetRequest | ImportResourceRequest,
    output: str,
    *,
    yes: bool,
    command: str,
) -> int:
    result = session.act(request, output, command, yes=yes)
    if output == "text":
        _show_run(result)
    else:
        print_shape(_describe(result), output)
    return 0 if result.is_done else 1


def _describe(result: OwnershipResult) -> RunDocument:
    from provisioning.interfaces.schema.plans import RunDocument

    end = "applied" if result.run and result.is_done else "failed"
    return RunDocument.from_run(result.plan, end, result.run)


def _show_run(result: OwnershipResult) -> None:
    from provisioning.interfaces.cli.render.plans import render_run

    if result.run:
        click.echo("\n" + render_run(result.run))

"""`suspend` and `resume`: stop runs from changing an infra or a resource."""

from __future__ import annotations

import click

from provisioning.interfaces.cli.arguments import Duration, split_names
from provisioning.interfaces.cli.session import Session, pass_session

names_argument = click.argument("names", nargs=-1, metavar="[INFRA] [ID]")


@click.command()
@names_argument
@click.option("--reason", default="", help="Why, for `plan` and `status`.")
@click.option("--expire", type=Duration(), default=None, help="Until when, as in 3h.")
@pass_session
def suspend(session: Session, names: tuple[str, ...], reason: str, expire: float | None) -> int:
    """Stop runs from changing INFRA (all by default), or the resource ID.

    A plan still shows its changes, which are blocked until `resume`.
    """
    from provisioning.application.runs.suspend import SuspendRequest

    infra, name = _split(names)
    done = session.call(SuspendRequest(infra=infra, id=name, reason=reason, seconds=expire))
    end = f" until {done.until}" if done.until else ""
    for shown in _list_names(done.infras, done.resource):
        click.echo(f"{shown} is suspended{end}; `provisioning resume {shown}` ends that")
    return 0


@click.command()
@names_argument
@pass_session
def resume(session: Session, names: tuple[str, ...]) -> int:
    """End the suspension of INFRA (of all that are, by default), or of the resource ID."""
    from provisioning.application.runs.suspend import ResumeRequest

    infra, name = _split(names)
    done = session.call(ResumeRequest(infra=infra, id=name))
    for shown in _list_names(done.infras, done.resource):
        click.echo(f"{shown} is resumed")
    if not names and not done.infras:
        click.echo("no infra is suspended")
    return 0


def _split(names: tuple[str, ...]) -> tuple[str | None, str | None]:
    infra, ids = split_names(names)
    if len(ids) > 1:
        raise click.UsageError("give an infra, a resource, or both")
    return infra, ids[0] if ids else None


def _list_names(infras: tuple[str, ...], resource: str | None) -> list[str]:
    return [f"{infra} {resource}" if resource else infra for infra in infras]

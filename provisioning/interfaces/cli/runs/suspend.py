"""`suspend` and `resume`: runs leave an infra, or a resource, alone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from provisioning.interfaces.cli.runs.lock import Duration
from provisioning.interfaces.cli.session import Session, pass_session

if TYPE_CHECKING:
    from provisioning.bootstrap import Workspace
    from provisioning.core.model.ids import ResourceId

names_argument = click.argument("names", nargs=-1, metavar="[INFRA] [ID]")


@click.command()
@names_argument
@click.option("--reason", default="", help="Why; everybody who looks reads it.")
@click.option("--expire", type=Duration(), default=None, help="Until when, as in 3h.")
@pass_session
def suspend(session: Session, names: tuple[str, ...], reason: str, expire: float | None) -> int:
    """Let runs leave INFRA (all by default), or the resource ID, as it is.

    It can still be looked at and planned. A change of it is blocked until `resume`.
    """
    from provisioning.core.model.records import Suspension
    from provisioning.reconciler.execution.lease import render_time
    from provisioning.reconciler.operations.suspend import suspend as suspend_log

    workspace = session.open_workspace()
    now = time.time()
    suspension = Suspension(
        by=workspace.holder.user,
        since=render_time(now),
        reason=" ".join(reason.split()),
        until=render_time(now + expire) if expire else None,
    )
    for infra, resource in _choose(workspace, names):
        suspend_log(
            workspace.build_log(infra),
            resource,
            suspension,
            judge=lambda held, infra=infra: workspace.judge(infra, held),  # type: ignore[misc]
        )
        end = f" until {suspension.until}" if suspension.until else ""
        shown = f"{infra} {resource}" if resource else infra
        click.echo(f"{shown} is suspended{end}; `provisioning resume {shown}` ends that")
    return 0


@click.command()
@names_argument
@pass_session
def resume(session: Session, names: tuple[str, ...]) -> int:
    """End the suspension of INFRA (of all that are, by default), or of the resource ID."""
    from provisioning.reconciler.operations.suspend import resume as resume_log

    workspace = session.open_workspace()
    chosen = _choose(workspace, names)
    if not names:
        chosen = [
            item for item in chosen if workspace.build_log(item[0]).read_local().suspended.infra
        ]
        if not chosen:
            click.echo("no infra is suspended")
    for infra, resource in chosen:
        resume_log(
            workspace.build_log(infra),
            resource,
            workspace.holder.user,
            judge=lambda held, infra=infra: workspace.judge(infra, held),  # type: ignore[misc]
        )
        click.echo(f"{infra} {resource} is resumed" if resource else f"{infra} is resumed")
    return 0


def _choose(workspace: Workspace, names: tuple[str, ...]) -> list[tuple[str, ResourceId | None]]:
    """Return the infras, or the resource, that *names* mean; each of them exists."""
    from provisioning.core.model.errors import InvalidArgument
    from provisioning.gitstore.statelog.applications import read_record
    from provisioning.interfaces.cli.infra_arguments import find_infra, split_names

    commit = workspace.read_commit()
    given, ids = split_names(names)
    infras = workspace.choose_infras(commit, given, recorded=True)
    if not ids:
        return [(name, None) for name in infras]
    if len(ids) > 1:
        raise click.UsageError("give an infra, a resource, or both")
    checkout = workspace.build_checkout(commit)

    def has(name: str, wanted: ResourceId) -> bool:
        view = workspace.build_log(name).read_local()
        if wanted in view.suspended.resources:
            return True
        record = view.head and read_record(workspace.repository, view.head, wanted)
        return bool(record) or wanted in checkout.read_resources(name)

    infra, resource = find_infra(infras, given, ids[0], has)
    if not has(infra, resource):
        raise InvalidArgument(
            f"{infra} has no resource {resource}", hint=f"`provisioning tree {infra}` shows them"
        )
    return [(infra, resource)]

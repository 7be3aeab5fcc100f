"""`at`: what was desired and recorded then."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from provisioning.interfaces.cli.session import Session, output_option, pass_session, print_shape

if TYPE_CHECKING:
    from provisioning.bootstrap import Workspace
    from provisioning.core.model.ids import CommitId
    from provisioning.gitstore.statelog.points_in_time import Moment
    from provisioning.reconciler.explain.checkout import Checkout


@click.command()
@click.argument("moment", metavar="COMMIT|TIME")
@click.argument("question", type=click.Choice(["status", "get"]))
@click.argument("names", nargs=-1, metavar="[INFRA] [ID]...")
@output_option
@pass_session
def at(session: Session, moment: str, question: str, names: tuple[str, ...], output: str) -> int:
    """Tell the status of each infra, or list its resources, as they were then.

    MOMENT is a commit of the branch, a time as in 2026-03-01T12:00 (UTC), or '3h ago'.
    """
    from provisioning.gitstore.statelog.points_in_time import find_moment
    from provisioning.interfaces.cli.infra_arguments import split_names

    workspace = session.open_workspace()
    workspace.read_commit()
    then = find_moment(workspace.repository, workspace.branch, moment, time.time)
    checkout = workspace.build_checkout(then.commit)
    infra, ids = split_names(names)
    heads = _find_heads(workspace, checkout, then, infra)
    show = _show_status if question == "status" else _show_resources
    shapes = show(workspace, checkout, heads, ids, is_text=output == "text")
    if ids and not any(shape["resources"] for shape in shapes):
        from provisioning.core.model.errors import InvalidArgument

        raise InvalidArgument(
            f"nothing of that name was recorded then: {', '.join(ids)}",
            hint=f"`provisioning at {moment} get` lists what was",
        )
    if output != "text":
        told = {"commit": then.commit, "time": then.time}
        dated = [shape | {"at": told} for shape in shapes]
        print_shape(dated[0] if infra else dated, output)
    return 0


def _find_heads(
    workspace: Workspace, checkout: Checkout, then: Moment, infra: str | None
) -> dict[str, CommitId | None]:
    from provisioning.core.model.errors import InvalidArgument
    from provisioning.gitstore.statelog.points_in_time import find_head

    now = workspace.choose_infras(workspace.read_commit(), None, recorded=True)
    known = sorted({*now, *checkout.list_infras()})
    logs = {name: workspace.build_log(name).read_local().head for name in known}
    heads = {name: find_head(workspace.repository, head, then) for name, head in logs.items()}
    found = {
        name: head
        for name, head in heads.items()
        if (infra is None or name == infra) and (head or name in checkout.list_infras())
    }
    if infra and not found:
        raise InvalidArgument(
            f"there was no infra {infra!r} at commit {then.commit[:10]}",
            hint=f"there were: {', '.join(checkout.list_infras()) or 'none'}",
        )
    return found


def _show_status(
    workspace: Workspace,
    checkout: Checkout,
    heads: Mapping[str, CommitId | None],
    ids: Sequence[str],
    *,
    is_text: bool,
) -> list[dict[str, Any]]:
    from provisioning.core.statelog.lock_expiry import LockState, LockStatus
    from provisioning.core.status.conditions import compute_status
    from provisioning.interfaces.cli.render.status import render_status
    from provisioning.interfaces.schema.results import shape_status

    if ids:
        raise click.UsageError("status is of an infra; `get` lists single resources")
    shapes = []
    for name, head in heads.items():
        log = workspace.build_log(name)
        view = log.read_at(head)
        held = LockStatus(LockState.HELD, None) if view.lock else None
        records = log.read_records(view).values()
        status = compute_status(name, checkout.commit, view, records, held)
        shapes.append(shape_status(status))
        if is_text:
            click.echo(render_status(status))
    return shapes


def _show_resources(
    workspace: Workspace,
    checkout: Checkout,
    heads: Mapping[str, CommitId | None],
    ids: Sequence[str],
    *,
    is_text: bool,
) -> list[dict[str, Any]]:
    from provisioning.interfaces.cli.render.status import render_records
    from provisioning.interfaces.schema.results import shape_record

    shapes: list[dict[str, Any]] = []
    infras = checkout.list_infras()
    for name, head in heads.items():
        log = workspace.build_log(name)
        records = log.read_records(log.read_at(head))
        listed = [record for record in records.values() if not ids or record.id in ids]
        desired = checkout.read_resources(name) if name in infras else {}
        missing = sorted(set(desired) - set(records) if not ids else set())
        leaving = sorted(set(records) - set(desired) if not ids else set())
        shapes.append(
            {
                "infra": name,
                "resources": [shape_record(item) for item in listed],
                "desired": sorted(desired),
            }
        )
        if is_text and (listed or not ids):
            click.echo(click.style(name, bold=True))
            click.echo(render_records(listed) if listed else "nothing was recorded")
            if missing:
                click.echo(f"asked for, and not applied then: {', '.join(missing)}")
            if leaving:
                click.echo(f"not asked for any more then: {', '.join(leaving)}")
    return shapes

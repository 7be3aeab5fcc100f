"""`lock ls|explain|hold|release|steal`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from provisioning.interfaces.cli.arguments import Duration
from provisioning.interfaces.cli.session import Session, output_option, pass_session, print_shapes

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioning.application.runs.lock import HoldRequest, InfraLock, StealRequest


@click.group()
def lock() -> None:
    """See, hold, release or steal locks."""


def _hold_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add INFRA, `--reason` and `--expire`."""
    expire = click.option(
        "--expire", type=Duration(), default=None, help="Let it expire, as in 3h."
    )
    reason = click.option("--reason", required=True, help="Why, for everybody whom the lock stops.")
    return click.argument("infra")(reason(expire(function)))


@lock.command(name="ls")
@output_option
@pass_session
def list_locks(session: Session, output: str) -> int:
    """List the lock of every infra."""
    from provisioning.application.runs.lock import ListLocksRequest

    found = session.call(ListLocksRequest())
    if output != "text":
        from provisioning.interfaces.schema.states import LockDocument

        return print_shapes(map(LockDocument.of, found), output)
    from provisioning.interfaces.cli.render.status import render_lock, render_table

    head = ("INFRA", "STATE", "HOLDER", "SINCE", "EXPIRES IN", "REASON")
    click.echo(render_table(head, map(render_lock, found)))
    return 0


@lock.command()
@click.argument("infra")
@pass_session
def explain(session: Session, infra: str) -> int:
    """Show who holds INFRA's lock, whether the lock is still valid, and how to continue."""
    from provisioning.application.runs.lock import ListLocksRequest

    (found,) = session.call(ListLocksRequest(infra=infra))
    click.echo("\n".join(_explain(found)))
    return 0


def _explain(found: InfraLock) -> list[str]:
    infra, held, status = found.infra, found.lock, found.status
    if held is None or status is None:
        rest = " A run was cut off; the next one finishes it." if found.view.is_cut_off else ""
        return [f"{infra} is free; the last fencing token was {found.view.fence}.{rest}"]
    what = f"run {held.token}" if held.run else f"hold {held.token}"
    lines = [
        f"{infra} is locked by {held.holder}, for {what}: {held.reason}",
        f"  since {held.acquired_at}, renewed {held.renewed_at}",
        "  " + EXPLANATIONS[status.standing].format(infra=infra),
    ]
    if not status.is_held:
        return lines
    if status.remaining is None:
        return [*lines, "  it does not expire"]
    left = f"{status.remaining:.0f} s"
    return [*lines, f"  it expires in {left}, as this machine has seen it, unless renewed"]


EXPLANATIONS = {
    "held": "it counts: wait, or take it with `provisioning lock steal {infra} --reason …`",
    "expired": "it has expired: the next `provisioning reconcile {infra}` takes over",
    "orphaned": "its process is gone: the next `provisioning reconcile {infra}` takes over",
}


@lock.command()
@_hold_options
@pass_session
def hold(session: Session, infra: str, reason: str, expire: float | None) -> int:
    """Hold INFRA, so that nothing is applied until you release it."""
    from provisioning.application.runs.lock import HoldRequest

    return _take(session, HoldRequest(infra=infra, reason=reason, seconds=expire))


@lock.command()
@_hold_options
@pass_session
def steal(session: Session, infra: str, reason: str, expire: float | None) -> int:
    """Take INFRA's lock from its holder, whose later writes are refused."""
    from provisioning.application.runs.lock import StealRequest

    return _take(session, StealRequest(infra=infra, reason=reason, seconds=expire))


def _take(session: Session, request: HoldRequest | StealRequest) -> int:
    found = session.call(request)
    infra, token = found.infra, found.view.fence
    click.echo(f"{infra} is yours (token {token}); `provisioning lock release {infra}` frees it")
    return 0


@lock.command()
@click.argument("infra")
@pass_session
def release(session: Session, infra: str) -> int:
    """Release a hold of INFRA."""
    from provisioning.application.runs.lock import ReleaseRequest

    session.call(ReleaseRequest(infra=infra))
    click.echo(f"{infra} is free")
    return 0

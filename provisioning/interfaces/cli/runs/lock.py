"""`lock ls|explain|hold|release|steal`."""

from __future__ import annotations

import click

from provisioning.core.model.durations import SPAN_HINT, parse_span
from provisioning.interfaces.cli.session import Session, output_option, pass_session, print_shape


class Duration(click.ParamType[float]):
    """A number of seconds, minutes, hours or days: `90s`, `45m`, `3h`, `2d`."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds."""
        if isinstance(value, float):
            return value
        span = parse_span(str(value))
        if span is None:
            self.fail(f"{value!r} is not a duration; {SPAN_HINT}", param, ctx)
        return span.total


@click.group()
def lock() -> None:
    """See, hold, release or steal locks."""


@lock.command(name="ls")
@output_option
@pass_session
def list_locks(session: Session, output: str) -> int:
    """List the lock of every infra."""
    import msgspec

    from provisioning.interfaces.cli.render.status import render_lock, render_table

    workspace = session.open_workspace()
    rows, shapes = [], []
    for name in workspace.choose_infras(workspace.read_commit(), None, recorded=True):
        held = workspace.build_log(name).read().lock
        lock_status = workspace.judge(name, held) if held else None
        rows.append(render_lock(name, held, lock_status))
        shapes.append(
            {
                "infra": name,
                "lock": msgspec.to_builtins(held) if held else None,
                "standing": lock_status.standing if lock_status else "free",
                "remaining": lock_status.remaining if lock_status else None,
            }
        )
    if output == "text":
        head = ("INFRA", "STATE", "HOLDER", "SINCE", "EXPIRES IN", "REASON")
        click.echo(render_table(head, rows))
    else:
        print_shape(shapes, output)
    return 0


@lock.command()
@click.argument("infra")
@pass_session
def explain(session: Session, infra: str) -> int:
    """Say who holds INFRA's lock, whether that still counts, and how to go on."""
    workspace = session.open_workspace()
    workspace.choose_infras(workspace.read_commit(), infra, recorded=True)
    view = workspace.build_log(infra).read()
    if view.lock is None:
        rest = " A run was cut off; the next one finishes it." if view.is_cut_off else ""
        click.echo(f"{infra} is free; the last fencing token was {view.fence}.{rest}")
        return 0
    held, lock_status = view.lock, workspace.judge(infra, view.lock)
    what = f"run {held.token}" if held.run else f"hold {held.token}"
    click.echo(f"{infra} is locked by {held.holder}, for {what}: {held.reason}")
    click.echo(f"  since {held.acquired_at}, renewed {held.renewed_at}")
    click.echo("  " + EXPLANATIONS[lock_status.standing].format(infra=infra))
    if lock_status.is_held:
        left = lock_status.remaining
        click.echo(
            "  it does not expire"
            if left is None
            else f"  it expires in {left:.0f} s, as this machine has seen it, unless renewed"
        )
    return 0


EXPLANATIONS = {
    "held": "it counts: wait, or take it with `provisioning lock steal {infra} --reason …`",
    "expired": "it has expired: the next `provisioning reconcile {infra}` takes over",
    "orphaned": "its process is gone: the next `provisioning reconcile {infra}` takes over",
}


@lock.command()
@click.argument("infra")
@click.option("--reason", required=True, help="Why; everybody who meets the lock reads it.")
@click.option("--expire", type=Duration(), default=None, help="Let it expire, as in 3h.")
@pass_session
def hold(session: Session, infra: str, reason: str, expire: float | None) -> int:
    """Hold INFRA, so that nothing is applied until you release it."""
    return _take(session, infra, reason, expire, steals=False)


@lock.command()
@click.argument("infra")
@click.option("--reason", required=True, help="Why; it is recorded.")
@click.option("--expire", type=Duration(), default=None, help="Let it expire, as in 3h.")
@pass_session
def steal(session: Session, infra: str, reason: str, expire: float | None) -> int:
    """Take INFRA's lock from whoever holds it; what they still write is refused."""
    return _take(session, infra, reason, expire, steals=True)


def _take(session: Session, infra: str, reason: str, expire: float | None, *, steals: bool) -> int:
    from provisioning.reconciler.operations.lock import hold_lock

    workspace = session.open_workspace()
    commit = workspace.read_commit()
    workspace.choose_infras(commit, infra, recorded=True)
    view = hold_lock(
        workspace.build_log(infra, workspace.load_layers(commit, infra)),
        workspace.build_hold(reason, expire),
        judge=lambda held: workspace.judge(infra, held),
        steals=steals,
    )
    click.echo(
        f"{infra} is yours (token {view.fence}); `provisioning lock release {infra}` frees it"
    )
    return 0


@lock.command()
@click.argument("infra")
@pass_session
def release(session: Session, infra: str) -> int:
    """Release a hold of INFRA."""
    from provisioning.reconciler.operations.lock import release_lock

    workspace = session.open_workspace()
    commit = workspace.read_commit()
    workspace.choose_infras(commit, infra, recorded=True)
    log = workspace.build_log(infra, workspace.load_layers(commit, infra))
    release_lock(log, workspace.holder.user)
    click.echo(f"{infra} is free")
    return 0

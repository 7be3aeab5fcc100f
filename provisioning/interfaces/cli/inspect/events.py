"""`events`: a line for each thing that happened."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click

from provisioning.interfaces.cli.session import Session, output_option, pass_session, print_shape

if TYPE_CHECKING:
    from provisioning.bootstrap import Workspace
    from provisioning.reconciler.explain.history import Follower, HistoryEvent

LONGEST = 5.0
"""Seconds between two looks, at most: somebody is watching."""


@click.command()
@click.argument("infra", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on, until stopped.")
@click.option("-n", "--limit", type=click.IntRange(min=0), default=50, help="The newest of each.")
@output_option
@pass_session
def events(session: Session, infra: str | None, output: str, limit: int, *, follow: bool) -> int:
    """Tell what happened to INFRA (all by default), a line each, oldest first.

    The lines come from the state log; of a run under way on this machine, from its journal.
    """
    workspace = session.open_workspace()
    followers: dict[str, Follower] = {}
    found = _look(workspace, infra, followers, limit)
    if not follow and output != "text":
        from msgspec.structs import asdict

        print_shape([asdict(item) for item in found], output)
        return 0
    _print(found, output)
    return _follow(workspace, infra, followers, limit, output) if follow else 0


def _follow(
    workspace: Workspace,
    infra: str | None,
    followers: dict[str, Follower],
    limit: int,
    output: str,
) -> int:
    pause = min(workspace.poll_interval, LONGEST)
    try:
        while True:
            time.sleep(pause)
            _print(_look(workspace, infra, followers, limit), output)
    except KeyboardInterrupt:
        return 0


def _look(
    workspace: Workspace, infra: str | None, followers: dict[str, Follower], limit: int
) -> list[HistoryEvent]:
    from provisioning.reconciler.execution.lease import render_time
    from provisioning.reconciler.explain.history import Follower

    commit = workspace.read_commit()
    found = []
    for name in workspace.choose_infras(commit, infra, recorded=True):
        journals = workspace.home.checkpoints / workspace.identifier / name
        follower = followers.setdefault(name, Follower(workspace.repository, journals, name, limit))
        head = workspace.build_log(name).read_local().head
        found += follower.read(head, render_time(time.time()))
    return sorted(found, key=lambda item: item.time)


def _print(found: list[HistoryEvent], output: str) -> None:
    from msgspec.structs import asdict

    from provisioning.interfaces.cli.render.events import render_event_line

    for item in found:
        if output == "yaml":
            click.echo("---")
            print_shape(asdict(item), output)
        elif output == "json":
            click.echo(json.dumps(asdict(item), ensure_ascii=False))
        else:
            click.echo(render_event_line(item))

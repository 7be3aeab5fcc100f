"""`tree` and `graph`: what depends on what, and how each is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from provisioning.interfaces.cli.session import Session, output_option, pass_session, print_shape

if TYPE_CHECKING:
    from provisioning.core.status.dependency_graph import DependencyGraph


@click.command()
@click.argument("infra", required=False)
@output_option
@pass_session
def tree(session: Session, infra: str | None, output: str) -> int:
    """Show the resources of INFRA (all by default) above what each of them needs."""
    from provisioning.interfaces.cli.render.graph import render_tree
    from provisioning.interfaces.schema.results import shape_picture

    graph = _read_picture(session, infra)
    if output == "text":
        infras = {infra} if infra else {name for name, _ in graph}
        click.echo(render_tree(graph, infras) or "no resources yet")
    else:
        print_shape(shape_picture(graph), output)
    return 0


@click.command()
@click.argument("infra", required=False)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "dot", "svg", "json", "yaml"]),
    default="text",
    help="SVG opens in a browser, DOT is Graphviz's.",
)
@pass_session
def graph(session: Session, infra: str | None, output: str) -> int:
    """Draw what depends on what in INFRA (all by default), coloured by condition."""
    from provisioning.interfaces.cli.render.graph import render_dot, render_lines
    from provisioning.interfaces.cli.render.svg import render_svg
    from provisioning.interfaces.schema.results import shape_picture

    graph = _read_picture(session, infra)
    render = {"text": render_lines, "dot": render_dot, "svg": render_svg}.get(output)
    if render:
        click.echo(render(graph))
    else:
        print_shape(shape_picture(graph), output)
    return 0


def _read_picture(session: Session, infra: str | None) -> DependencyGraph:
    from provisioning.core.policy.suspensions import describe_suspension, list_suspended
    from provisioning.core.status.dependency_graph import (
        View,
        compute_dependency_graph,
        focus_graph,
    )
    from provisioning.reconciler.execution.lease import render_time

    workspace = session.open_workspace()
    commit = workspace.read_commit()
    checkout = workspace.build_checkout(commit)
    views = {}
    now = render_time(time.time())
    if infra:
        workspace.choose_infras(commit, infra, recorded=True)
    for name in workspace.choose_infras(commit, None, recorded=True):
        log = workspace.build_log(name)
        view = log.read()
        held = view.lock is not None and workspace.judge(name, view.lock).is_held
        begun = view.begin.intents if view.begin and held else ()
        views[name] = View(
            desired=checkout.read_resources(name),
            records=log.read_records(view),
            running={item.id for item in begun},
            suspended={
                name: describe_suspension(item)
                for name, item in list_suspended(view.suspended, now).items()
            },
        )
    graph = compute_dependency_graph(views)
    return focus_graph(graph, infra) if infra else graph

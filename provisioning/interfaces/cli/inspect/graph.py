"""`tree` and `graph`: the dependencies of resources, and their conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from provisioning.interfaces.cli.arguments import infra_argument
from provisioning.interfaces.cli.session import Session, output_option, pass_session, print_shapes

if TYPE_CHECKING:
    from provisioning.core.status.dependency_graph import DependencyGraph


@click.command()
@infra_argument
@output_option
@pass_session
def tree(session: Session, infra: str | None, output: str) -> int:
    """Show the resources of INFRA (all by default) above their dependencies."""
    from provisioning.application.inspect.explain import GraphRequest
    from provisioning.interfaces.cli.render.graph import render_tree

    found = session.call(GraphRequest(infra=infra))
    if output != "text":
        return _print_nodes(found, output)
    infras = {infra} if infra else {name for name, _ in found}
    click.echo(render_tree(found, infras) or "no resources yet")
    return 0


@click.command()
@infra_argument
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "dot", "svg", "json", "yaml"]),
    default="text",
    help="SVG opens in a browser, DOT is Graphviz's.",
)
@pass_session
def graph(session: Session, infra: str | None, output: str) -> int:
    """Draw the dependencies in INFRA (all by default), coloured by condition."""
    from provisioning.application.inspect.explain import GraphRequest
    from provisioning.interfaces.cli.render.graph import render_dot, render_lines
    from provisioning.interfaces.cli.render.svg import render_svg

    found = session.call(GraphRequest(infra=infra))
    render = {"text": render_lines, "dot": render_dot, "svg": render_svg}.get(output)
    if render is None:
        return _print_nodes(found, output)
    click.echo(render(found))
    return 0


def _print_nodes(graph: DependencyGraph, output: str) -> int:
    from provisioning.interfaces.schema.explanations import NodeDocument

    return print_shapes(map(NodeDocument.of, graph.values()), output)

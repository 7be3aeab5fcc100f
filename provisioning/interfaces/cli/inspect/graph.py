"""`tree` and `graph`: what depends on what, and how each is."""

from __future__ import annotations

import click

from provisioning.interfaces.cli.arguments import infra_argument
from provisioning.interfaces.cli.session import Session, output_option, pass_session, print_shape


@click.command()
@infra_argument
@output_option
@pass_session
def tree(session: Session, infra: str | None, output: str) -> int:
    """Show the resources of INFRA (all by default) above what each of them needs."""
    from provisioning.application.inspect.explain import GraphRequest
    from provisioning.interfaces.cli.render.graph import render_tree

    found = session.call(GraphRequest(infra=infra))
    if output == "text":
        infras = {infra} if infra else {name for name, _ in found}
        click.echo(render_tree(found, infras) or "no resources yet")
    else:
        from provisioning.interfaces.schema.explanations import list_nodes

        print_shape(list_nodes(found), output)
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
    """Draw what depends on what in INFRA (all by default), coloured by condition."""
    from provisioning.application.inspect.explain import GraphRequest
    from provisioning.interfaces.cli.render.graph import render_dot, render_lines
    from provisioning.interfaces.cli.render.svg import render_svg

    found = session.call(GraphRequest(infra=infra))
    render = {"text": render_lines, "dot": render_dot, "svg": render_svg}.get(output)
    if render:
        click.echo(render(found))
    else:
        from provisioning.interfaces.schema.explanations import list_nodes

        print_shape(list_nodes(found), output)
    return 0

"""`config show` and `config explain`: settings as the work tree has them."""

from __future__ import annotations

import click

from provisioning.cli.session import Session, output_option, pass_session, print_shape

infra_option = click.option("--infra", default=None, help="With the layer of this infra.")


@click.group()
def config() -> None:
    """Show settings, and where each comes from."""


@config.command()
@infra_option
@output_option
@pass_session
def show(session: Session, infra: str | None, output: str) -> int:
    """Show every setting as the work tree has it."""
    layers = session.open_workspace().load_work_tree_layers(infra)
    if output != "text":
        print_shape(layers.merge(), output)
        return 0
    from provisioning.cli.render.states import render_table

    values = [(key, layers.get(key)) for key in layers.list_keys()]
    rows = [(key, _render(each.value), str(each.origin)) for key, each in values]
    click.echo(render_table(("KEY", "VALUE", "FROM"), rows))
    return 0


@config.command()
@click.argument("key")
@infra_option
@output_option
@pass_session
def explain(session: Session, key: str, infra: str | None, output: str) -> int:
    """Show the value of KEY in every layer, with its file and line; the last one wins."""
    from provisioning.config.settings import get_setting

    found = session.open_workspace().load_work_tree_layers(infra).explain(key)
    if output != "text":
        shape = [
            {"layer": each.origin.layer, "value": each.value, "from": str(each.origin)}
            for each in found
        ]
        print_shape(shape, output)
        return 0
    setting = get_setting(key)
    if setting:
        click.echo(setting.doc)
    for each in found:
        mark = click.style("*", fg="green") if each is found[-1] else " "
        click.echo(f"{mark} {each.origin.layer:<12} {_render(each.value):<20} {each.origin}")
    return 0


def _render(value: object) -> str:
    import json

    return value if isinstance(value, str) else json.dumps(value)

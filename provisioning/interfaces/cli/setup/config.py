"""`config show` and `config explain`: settings as the work tree has them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from provisioning.interfaces.cli.session import Session, output_option, pass_session, print_shape

if TYPE_CHECKING:
    from provisioning.config.provenance import Explained

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
    from provisioning.application.setup.config import ShowSettingsRequest

    found = session.call(ShowSettingsRequest(infra=infra))
    if output != "text":
        return print_shape(_mask(found.merged), output)
    from provisioning.interfaces.cli.render.status import render_table

    rows = [(key, _render(value.value), str(value.origin)) for key, value in found.values.items()]
    click.echo(render_table(("KEY", "VALUE", "FROM"), rows))
    return 0


@config.command()
@click.argument("key")
@infra_option
@output_option
@pass_session
def explain(session: Session, key: str, infra: str | None, output: str) -> int:
    """Show the value that every layer gives KEY, with file and line; a star marks what applies."""
    from provisioning.application.setup.config import ExplainSettingRequest

    found = session.call(ExplainSettingRequest(key=key, infra=infra))
    if output != "text":
        from provisioning.interfaces.schema.explanations import LayerDocument

        return print_shape(_mask([*map(LayerDocument.from_layer, found.layers)]), output)
    from provisioning.interfaces.cli.render.status import render_table

    if found.description:
        click.echo(f"{found.description}\n")
    click.echo(render_table(("", "LAYER", "VALUE", "FROM"), map(_list_cells, found.layers)))
    return 0


def _list_cells(item: Explained) -> tuple[str, str, str, str]:
    if item.origin is None:
        return "", item.layer, "-", item.place
    return "*" if item.wins else "", item.layer, _render(item.value), str(item.origin)


def _render(value: object) -> str:
    shown = _mask(value)
    return shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False)


def _mask(shape: object) -> object:
    """Return *shape* without the passwords of its URLs."""
    import msgspec

    from provisioning.gitstore.repository.git_program import mask_password

    return json.loads(mask_password(json.dumps(msgspec.to_builtins(shape))))

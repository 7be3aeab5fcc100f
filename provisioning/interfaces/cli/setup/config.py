"""`config show` and `config explain`: settings as the work tree has them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from provisioning.interfaces.cli.session import Session, output_option, pass_session, print_shape

if TYPE_CHECKING:
    from provisioning.config.layers import Layers
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
    layers = _load(session, infra)
    if output != "text":
        print_shape(_mask(layers.merge()), output)
        return 0
    from provisioning.interfaces.cli.render.status import render_table

    values = [(key, layers.get(key)) for key in layers.list_keys()]
    rows = [(key, _render(value.value), str(value.origin)) for key, value in values]
    click.echo(render_table(("KEY", "VALUE", "FROM"), rows))
    return 0


@config.command()
@click.argument("key")
@infra_option
@output_option
@pass_session
def explain(session: Session, key: str, infra: str | None, output: str) -> int:
    """Show what every layer says of KEY, with file and line; a star marks what applies."""
    found = _load(session, infra).explain(key)
    if output != "text":
        print_shape(_mask([_shape(item) for item in found]), output)
        return 0
    from provisioning.config.registry import load_settings
    from provisioning.interfaces.cli.render.status import render_table

    if setting := load_settings().get(key):
        click.echo(f"{setting.doc}\n")
    click.echo(render_table(("", "LAYER", "VALUE", "FROM"), map(_list_cells, found)))
    return 0


def _load(session: Session, infra: str | None) -> Layers:
    """Load the settings of *infra*, which must be one: a slip would silently show no layer."""
    from provisioning.core.model.errors import InvalidArgument
    from provisioning.core.model.values import find_nearest

    workspace = session.open_workspace()
    known = [path.name for path in workspace.root.glob("infra/*/")]
    if infra is not None and infra not in known:
        nearest = find_nearest(infra, known)
        raise InvalidArgument(
            f"there is no infra {infra!r}",
            hint=f"did you mean {nearest!r}?"
            if nearest
            else f"there are: {', '.join(sorted(known))}",
        )
    return workspace.load_work_tree_layers(infra)


def _shape(each: Explained) -> dict[str, object]:
    return {
        "layer": each.layer,
        "set": each.origin is not None,
        "value": each.value,
        "from": str(each.origin) if each.origin else each.place or None,
        "wins": each.wins,
    }


def _list_cells(each: Explained) -> tuple[str, str, str, str]:
    if each.origin is None:
        return "", each.layer, "-", each.place
    return "*" if each.wins else "", each.layer, _render(each.value), str(each.origin)


def _render(value: object) -> str:
    shown = _mask(value)
    return shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False)


def _mask(shape: object) -> object:
    """Return *shape* without the passwords of its URLs."""
    from provisioning.gitstore.repository.git_program import mask_password

    return json.loads(mask_password(json.dumps(shape)))

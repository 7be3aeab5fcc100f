"""`why`: who asked for it, where, and which run applied it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from provisioning.cli.session import Session, output_option, pass_session, print_shape

if TYPE_CHECKING:
    from provisioning.core.ids import ResourceId


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="[INFRA] ID [.spec.FIELD]")
@output_option
@pass_session
def why(session: Session, names: tuple[str, ...], output: str) -> int:
    """Tell who asked for a resource or a field, where, and which run applied it."""
    from provisioning.cli.naming import find_infra, split_names
    from provisioning.cli.render.whys import render_why
    from provisioning.core.shapes import shape_why
    from provisioning.gitstore.applications import read_record
    from provisioning.reconciler.whys import read_why

    given, rest = split_names(names)
    if len(rest) not in {1, 2}:
        raise click.UsageError("give one id, as in File/motd, and at most one field")
    workspace = session.open_workspace()
    commit = workspace.read_commit()
    checkout = workspace.build_checkout(commit)
    infras = workspace.choose_infras(commit, given, recorded=True)
    views = {each: workspace.build_log(each).read() for each in infras}

    def has(name: str, wanted: ResourceId) -> bool:
        head = views[name].head
        is_recorded = head and read_record(workspace.repository, head, wanted)
        return bool(is_recorded) or wanted in checkout.read_resources(name)

    infra, resource = find_infra(infras, given, rest[0], has)
    found = read_why(checkout, infra, views[infra], resource, rest[1] if rest[1:] else None)
    if output == "text":
        click.echo(render_why(found))
    else:
        print_shape(shape_why(found), output)
    return 0

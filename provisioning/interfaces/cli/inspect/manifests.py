"""`validate` and `schema`."""

from __future__ import annotations

import click

from provisioning.interfaces.cli.arguments import infra_argument
from provisioning.interfaces.cli.session import (
    Session,
    output_option,
    pass_session,
    print_shape,
    print_shapes,
)


@click.command()
@infra_argument
@click.option("--all", "everything", is_flag=True, help="Check every infra, as without INFRA.")
@output_option
@pass_session
def validate(session: Session, infra: str | None, output: str, *, everything: bool) -> int:
    """Check the manifests of INFRA (all by default) as they are committed, and nothing else."""
    from provisioning.application.inspect.manifests import ValidateRequest

    found = session.call(ValidateRequest(infra=None if everything else infra))
    counts = found.counts.items()
    if output != "text":
        from provisioning.interfaces.schema.states import ValidDocument

        shapes = [ValidDocument(infra=name, resources=count) for name, count in counts]
        return print_shapes(shapes, output)
    for name, count in counts:
        click.echo(f"{name}: {count} resources are valid at {found.commit[:10]}")
    return 0


@click.command()
@click.argument("kind", required=False)
@pass_session
def schema(session: Session, kind: str | None) -> int:
    """Print the JSON Schema of manifests of KIND, or of any kind, for editors."""
    from provisioning.application.inspect.manifests import SchemaRequest

    return print_shape(session.call(SchemaRequest(kind=kind)), "json")

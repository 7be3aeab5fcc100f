"""`why`: the source of a resource or field, and the run that applied it; the users of a secret."""

from __future__ import annotations

import click

from provisioning.interfaces.cli.arguments import split_names
from provisioning.interfaces.cli.session import Session, output_option, pass_session, print_shape


@click.command()
@click.argument(
    "names",
    nargs=-1,
    required=True,
    metavar="[INFRA] ID [.spec.FIELD] | [INFRA] secrets.FILE[.KEY]",
)
@output_option
@pass_session
def why(session: Session, names: tuple[str, ...], output: str) -> int:
    """Show who asked for a resource or a field, where, and which run applied it.

    For a secret it shows its files and its users, never its value.
    """
    from provisioning.core.expressions.references import SECRETS

    *scope, last = names
    if last.startswith(f"{SECRETS}.") and len(scope) <= 1 and "/" not in names[0]:
        return _show_usage(session, scope[0] if scope else None, last, output)
    infra, rest = split_names(names)
    if len(rest) not in {1, 2}:
        raise click.UsageError(
            "give one id, as in File/motd, and at most one field; or a secret, as in secrets.db"
        )
    return _show_why(session, infra, rest, output)


def _show_why(session: Session, infra: str | None, rest: tuple[str, ...], output: str) -> int:
    from provisioning.application.inspect.explain import WhyRequest

    field = rest[1] if rest[1:] else None
    found = session.call(WhyRequest(id=rest[0], infra=infra, field=field))
    if output != "text":
        from provisioning.interfaces.schema.explanations import WhyDocument

        return print_shape(WhyDocument.of(found), output)
    from provisioning.interfaces.cli.render.provenance import render_why

    click.echo(render_why(found))
    return 0


def _show_usage(session: Session, infra: str | None, secret: str, output: str) -> int:
    from provisioning.application.inspect.explain import SecretUsageRequest

    found = session.call(SecretUsageRequest(secret=secret, infra=infra))
    if output != "text":
        from provisioning.interfaces.schema.explanations import SecretUsageDocument

        return print_shape(SecretUsageDocument.of(found), output)
    from provisioning.interfaces.cli.render.provenance import render_secret_usage

    click.echo(render_secret_usage(found))
    return 0

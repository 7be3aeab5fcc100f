"""`why`: who asked for it, where, and which run applied it; of a secret, who uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from provisioning.interfaces.cli.session import Session, output_option, pass_session, print_shape

if TYPE_CHECKING:
    from provisioning.bootstrap import Workspace
    from provisioning.core.model.ids import CommitId, ResourceId
    from provisioning.core.statelog.transitions import LogView


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
    """Tell who asked for a resource or a field, where, and which run applied it.

    Of a secret it tells where it is kept and what uses it, never what it is.
    """
    from provisioning.core.expressions.references import SECRETS
    from provisioning.interfaces.cli.infra_arguments import split_names

    *scope, last = names
    if last.startswith(f"{SECRETS}.") and len(scope) <= 1 and "/" not in names[0]:
        _tell_usages(session.open_workspace(), scope[0] if scope else None, last, output)
        return 0
    given, rest = split_names(names)
    if len(rest) not in {1, 2}:
        raise click.UsageError(
            "give one id, as in File/motd, and at most one field; or a secret, as in secrets.db"
        )
    _tell_why(session.open_workspace(), given, rest, output)
    return 0


def _tell_why(workspace: Workspace, given: str | None, rest: list[str], output: str) -> None:
    from provisioning.gitstore.statelog.applications import read_record
    from provisioning.interfaces.cli.infra_arguments import find_infra
    from provisioning.interfaces.cli.render.provenance import render_why
    from provisioning.interfaces.schema.results import shape_why
    from provisioning.reconciler.explain.provenance import trace_provenance

    checkout = workspace.build_checkout(workspace.read_commit())
    views = _read_views(workspace, checkout.commit, given)

    def has(name: str, wanted: ResourceId) -> bool:
        head = views[name].head
        is_recorded = head and read_record(workspace.repository, head, wanted)
        return bool(is_recorded) or wanted in checkout.read_resources(name)

    infra, resource = find_infra([*views], given, rest[0], has)
    found = trace_provenance(checkout, infra, views[infra], resource, rest[1] if rest[1:] else None)
    if output == "text":
        click.echo(render_why(found))
    else:
        print_shape(shape_why(found), output)


def _tell_usages(workspace: Workspace, given: str | None, secret: str, output: str) -> None:
    from provisioning.interfaces.cli.render.secret_usage import render_usages
    from provisioning.interfaces.schema.results import shape_usages
    from provisioning.reconciler.explain.secret_usage import read_secret_usage

    checkout = workspace.build_checkout(workspace.read_commit())
    found = read_secret_usage(checkout, _read_views(workspace, checkout.commit, given), secret)
    if output == "text":
        click.echo(render_usages(found))
    else:
        print_shape(shape_usages(found), output)


def _read_views(workspace: Workspace, commit: CommitId, given: str | None) -> dict[str, LogView]:
    infras = workspace.choose_infras(commit, given, recorded=True)
    return {infra: workspace.build_log(infra).read() for infra in infras}

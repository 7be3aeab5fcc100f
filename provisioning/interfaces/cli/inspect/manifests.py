"""`validate` and `schema`."""

from __future__ import annotations

import click

from provisioning.interfaces.cli.session import Session, output_option, pass_session, print_shape


@click.command()
@click.argument("infra", required=False)
@click.option("--all", "everything", is_flag=True, help="Check every infra, as without INFRA.")
@output_option
@pass_session
def validate(session: Session, infra: str | None, output: str, *, everything: bool) -> int:
    """Check the manifests of INFRA (all by default) as they are committed; look at nothing else."""
    from provisioning.core.manifests.desired_state import raise_problems
    from provisioning.core.model.errors import InvalidWorkspace, ProvisioningError

    workspace = session.open_workspace()
    commit = workspace.read_commit()
    problems: list[ProvisioningError] = []
    counts = {}
    for name in workspace.choose_infras(commit, None if everything else infra):
        try:
            counts[name] = len(
                workspace.build_reconciler(name, commit).read_desired(commit).resources
            )
        except InvalidWorkspace as exc:
            problems += exc.problems
        except ProvisioningError as exc:
            problems.append(exc)
    raise_problems(problems)
    if output == "text":
        for name, count in counts.items():
            click.echo(f"{name}: {count} resources are valid at {commit[:10]}")
    else:
        print_shape([{"infra": name, "resources": count} for name, count in counts.items()], output)
    return 0


@click.command()
@click.argument("kind", required=False)
def schema(kind: str | None) -> int:
    """Print the JSON Schema of manifests of KIND, or of any kind, for editors."""
    from provisioning.bootstrap import list_kinds
    from provisioning.core.manifests.json_schema import compute_schema
    from provisioning.core.model.errors import InvalidArgument
    from provisioning.core.model.values import find_nearest

    kinds = list_kinds()
    if kind is not None and kind not in kinds:
        nearest = find_nearest(kind, kinds)
        raise InvalidArgument(
            f"no kind is called {kind!r}",
            hint=f"did you mean {nearest!r}?" if nearest else f"there are: {', '.join(kinds)}",
        )
    print_shape(compute_schema([kinds[kind]] if kind else list(kinds.values())), "json")
    return 0

"""`impact`: what a change of files can affect."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from provisioning.interfaces.cli.session import Session, output_option, pass_session, print_shape

if TYPE_CHECKING:
    from provisioning.bootstrap import Workspace
    from provisioning.core.status.impact import ImpactSource
    from provisioning.reconciler.explain.checkout import Checkout


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="FILE...|COMMIT")
@output_option
@pass_session
def impact(session: Session, names: tuple[str, ...], output: str) -> int:
    """Tell which infras and resources a change of FILE, or COMMIT, can affect, and why.

    A commit is compared with its first parent; OLD..NEW compares two.
    """
    from provisioning.interfaces.cli.render.impact import render_impacts
    from provisioning.interfaces.schema.results import shape_impact
    from provisioning.reconciler.explain.impact import group_by_infra, read_impact

    workspace = session.open_workspace()
    checkout, touched = _read_touched(workspace, Path(session.folder), names)
    found = group_by_infra(read_impact(checkout, touched))
    if output == "text":
        click.echo(render_impacts(found, touched.ignored))
    else:
        shape = {
            "infras": [
                {"infra": infra, "resources": [shape_impact(item) for item in impacts]}
                for infra, impacts in found.items()
            ],
            "ignored": touched.ignored,
        }
        print_shape(shape, output)
    return 0


def _read_touched(
    workspace: Workspace, folder: Path, names: tuple[str, ...]
) -> tuple[Checkout, ImpactSource]:
    from provisioning.gitstore.repository.revert import list_changed_paths
    from provisioning.gitstore.statelog.points_in_time import find_commit
    from provisioning.reconciler.explain.impact import read_touched_commits, read_touched_files

    newest = workspace.read_commit()
    paths = [_locate(workspace, folder, newest, name) for name in names]
    if len(names) > 1 or paths[0] is not None:
        checkout = workspace.build_checkout(newest)
        return checkout, read_touched_files(
            checkout, _check(names, paths), workspace.read_work_tree
        )
    old, dots, new = names[0].partition("..")
    after = find_commit(workspace.repository, new if dots else old)
    parents = workspace.repository.read_commit(after).parents
    before = find_commit(workspace.repository, old) if dots else (parents or (after,))[0]
    changed = list_changed_paths(workspace.repository, before, after)
    one, other = workspace.build_checkout(before), workspace.build_checkout(after)
    below = [path.removeprefix(other.prefix) for path in changed if path.startswith(other.prefix)]
    return other, read_touched_commits(one, other, below)


def _locate(workspace: Workspace, folder: Path, newest: object, name: str) -> str | None:
    """Return the path of *name* in the workspace, if there is or was such a file."""
    from provisioning.core.model.ids import CommitId

    path = (folder / name).resolve()
    if not path.is_relative_to(workspace.root):
        return None
    shown = path.relative_to(workspace.root).as_posix()
    committed = workspace.build_checkout(CommitId(str(newest))).read_file(shown)
    return shown if path.is_file() or committed is not None else None


def _check(names: tuple[str, ...], paths: list[str | None]) -> list[str]:
    from provisioning.core.model.errors import InvalidArgument

    for name, path in zip(names, paths, strict=True):
        if path is None:
            raise InvalidArgument(
                f"{name} is no file of the workspace", hint="give files, or one commit"
            )
    return [path for path in paths if path is not None]

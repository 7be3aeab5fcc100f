"""`gc`: what is old in a state log becomes a snapshot."""

from __future__ import annotations

import time
from pathlib import Path

import click

from provisioning.interfaces.cli.runs.lock import Duration
from provisioning.interfaces.cli.session import Session, output_option, pass_session, print_shape


@click.command()
@click.argument("infra", required=False)
@click.option(
    "--keep", type=Duration(), default=None, help="As in 30d, in place of `log.retention`."
)
@click.option(
    "--archive",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Write each whole log to a Git bundle in this folder first.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@output_option
@pass_session
def gc(
    session: Session,
    infra: str | None,
    keep: float | None,
    archive: Path | None,
    output: str,
    *,
    yes: bool,
) -> int:
    """Compact the old part of the state log of INFRA (of all by default) into a snapshot.

    What is recorded and desired stays as it is, and so does every newer entry. Of the older
    runs only their numbers are known afterwards.
    """
    from provisioning.core.model.durations import DAY
    from provisioning.interfaces.cli.confirmation import confirm
    from provisioning.interfaces.cli.render.status import render_compaction
    from provisioning.interfaces.schema.results import shape_compaction
    from provisioning.reconciler.operations.compact import compact, plan_compaction

    workspace = session.open_workspace()
    now, shapes, todo = time.time(), [], []
    span = float(workspace.layers.get("log.retention").value) * DAY if keep is None else keep
    for name in workspace.choose_infras(workspace.read_commit(), infra, recorded=True):
        planned = plan_compaction(
            workspace.build_log(name),
            before=now - span,
            now=now,
            by=workspace.holder.user,
            judge=lambda held, name=name: workspace.judge(name, held),  # type: ignore[misc]
        )
        if output == "text":
            snapshot, kept = (planned.snapshot, planned.kept) if planned else (None, 0)
            click.echo(render_compaction(name, snapshot, kept))
        if planned is not None:
            todo.append(planned)
            file = str(archive / planned.archive) if archive else None
            shapes.append(shape_compaction(name, planned.snapshot, file))
    if todo:
        if output == "text" and archive is None:
            click.echo("`--archive FOLDER` would keep the whole of it in a file.")
        confirm("Compact this?", yes=yes, command="gc")
    for planned in todo:
        compact(planned, archive)
        if output == "text":
            click.echo(f"{planned.log.infra}: compacted")
    if output != "text":
        print_shape(shapes, output)
    return 0

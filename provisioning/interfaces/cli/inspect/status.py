"""`status`, `get`, `diff`, `log` and `fsck`: looking at what the state log has."""

from __future__ import annotations

import time

import click

from provisioning.interfaces.cli.session import Session, output_option, pass_session, print_shape

infra_argument = click.argument("infra", required=False)

PAGE = 50
"""Entries of a state log that are shown at once."""


@click.command()
@infra_argument
@output_option
@pass_session
def status(session: Session, infra: str | None, output: str) -> int:
    """Tell whether INFRA (all by default) is as Git wants it, from the state log alone."""
    from provisioning.core.policy.conflicts import REACH, find_conflicts
    from provisioning.core.status.conditions import compute_status
    from provisioning.interfaces.cli.render.status import render_status
    from provisioning.interfaces.schema.results import shape_status
    from provisioning.reconciler.execution.lease import render_time

    workspace = session.open_workspace()
    commit = workspace.read_commit()
    statuses = []
    now = render_time(time.time())
    for name in workspace.choose_infras(commit, infra, recorded=True):
        log = workspace.build_log(name)
        view = log.read()
        lock_status = workspace.judge(name, view.lock) if view.lock else None
        records = log.read_records(view).values()
        conflicts = find_conflicts(log.read_history(REACH), view.suspended)
        statuses.append(compute_status(name, commit, view, records, lock_status, now, conflicts))
    if output == "text":
        click.echo("\n".join(map(render_status, statuses)) or "no infra yet; make infra/NAME")
    else:
        shapes = [shape_status(statuse) for statuse in statuses]
        print_shape(shapes[0] if infra else shapes, output)
    return 0


@click.command()
@infra_argument
@click.argument("ids", nargs=-1, metavar="[ID]...")
@output_option
@pass_session
def get(session: Session, infra: str | None, ids: tuple[str, ...], output: str) -> int:
    """List the recorded resources of INFRA (all by default), or show those with these IDs."""
    from provisioning.interfaces.cli.render.status import render_records
    from provisioning.interfaces.schema.results import shape_record

    workspace = session.open_workspace()
    commit = workspace.read_commit()
    if infra and "/" in infra:
        ids, infra = (infra, *ids), None
    found = {}
    for name in workspace.choose_infras(commit, infra, recorded=True):
        log = workspace.build_log(name)
        records = log.read_records(log.read())
        found[name] = [record for record in records.values() if not ids or record.id in ids]
    if ids and not any(found.values()):
        from provisioning.core.model.errors import InvalidArgument

        raise InvalidArgument(
            f"no recorded resource is called {', '.join(ids)}",
            hint="`provisioning get` lists them",
        )
    if output != "text":
        shapes = [
            {"infra": name, "resources": [shape_record(it) for it in records]}
            for name, records in found.items()
        ]
        print_shape(shapes[0] if infra else shapes, output)
        return 0
    for name, listed in found.items():
        if len(found) > 1:
            click.echo(click.style(f"\n{name}", bold=True))
        click.echo(render_records(listed))
    return 0


@click.command()
@infra_argument
@output_option
@pass_session
def diff(session: Session, infra: str | None, output: str) -> int:
    """Compare what is live with what was recorded, whatever Git desires now."""
    from provisioning.interfaces.cli.render.status import render_difference
    from provisioning.interfaces.schema.results import shape_diff
    from provisioning.reconciler.explain.drift import read_drift

    workspace = session.open_workspace()
    commit = workspace.read_commit()
    shapes = []
    for name in workspace.choose_infras(commit, infra, recorded=True):
        found = read_drift(workspace.build_reconciler(name, commit))
        shapes.append({"infra": name} | shape_diff(found.changed, found.missing))
        if output == "text":
            click.echo(render_difference(name, found.changed, found.missing))
    if output != "text":
        print_shape(shapes[0] if infra else shapes, output)
    return 0


@click.command()
@infra_argument
@click.option(
    "-n", "--limit", type=click.IntRange(min=1), default=PAGE, show_default=True, help="How many."
)
@click.option("--all", "everything", is_flag=True, help="Show every entry.")
@output_option
@pass_session
def log(session: Session, infra: str | None, limit: int, *, everything: bool, output: str) -> int:
    """Tell the story of INFRA's state log, newest first, as `git log provisioning/INFRA` does."""
    from provisioning.interfaces.cli.render.status import render_log

    workspace = session.open_workspace()
    commit = workspace.read_commit()
    shapes = []
    names = workspace.choose_infras(commit, infra, recorded=True)
    for name in names:
        entries = list(workspace.build_log(name).read_story(None if everything else limit))
        is_cut = bool(entries and entries[-1].parents)
        shapes.append(
            {
                "infra": name,
                "entries": [
                    {"commit": it.id, "subject": it.subject, "trailers": dict(it.trailers)}
                    for it in entries
                ],
                "more": is_cut,
            }
        )
        if output == "text":
            if len(names) > 1:
                click.echo(click.style(f"{name}", bold=True))
            click.echo(render_log(entries) or f"{name} was never applied")
            if is_cut:
                click.echo(click.style(f"… older: `provisioning log {name} --all`", dim=True))
    if output != "text":
        print_shape(shapes[0] if infra else shapes, output)
    return 0


@click.command()
@infra_argument
@output_option
@pass_session
def fsck(session: Session, infra: str | None, output: str) -> int:
    """Prove INFRA's state log from its history: linear, fenced, complete."""
    from provisioning.core.statelog.fsck import prove
    from provisioning.interfaces.cli.render.status import render_proof
    from provisioning.interfaces.schema.results import shape_proof

    workspace = session.open_workspace()
    commit = workspace.read_commit()
    shapes = []
    for name in workspace.choose_infras(commit, infra, recorded=True):
        log = workspace.build_log(name)
        proof, snapshot = prove(log.read_history()), log.read_local().snapshot
        shapes.append(shape_proof(name, proof, snapshot))
        if output == "text":
            click.echo(render_proof(name, proof, snapshot))
    if output != "text":
        print_shape(shapes[0] if infra else shapes, output)
    return 1 if any(shape["findings"] for shape in shapes) else 0

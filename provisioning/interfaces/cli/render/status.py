"""Status, resources, locks and history as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from click import style

from provisioning.core.model.records import Record
from provisioning.core.model.values import as_json, render_canonical
from provisioning.core.status.conditions import Condition, InfraStatus
from provisioning.gitstore.objects.commits import Commit

if TYPE_CHECKING:
    from provisioning.application.context import CompactionPlanned
    from provisioning.application.inspect.history import LogProof
    from provisioning.application.inspect.status import LiveDrift
    from provisioning.application.runs.lock import InfraLock

COLOURS = {
    Condition.READY: "green",
    Condition.RECONCILING: "yellow",
    Condition.STALLED: "red",
    Condition.BLOCKED: "red",
}


def render_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return *rows* below *head*, each column as wide as it needs to be."""
    table = [tuple(head), *map(tuple, rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]
    return "\n".join([style(lines[0], bold=True), *lines[1:]])


def render_status(status: InfraStatus) -> str:
    """Return the conditions of an infra, and those of its resources that are not well."""
    mark = style("ready", fg="green") if status.is_ready else style("not ready", fg="red")
    lines = [f"{style(status.infra, bold=True)}  {mark}  {len(status.resources)} resources"]
    for condition in status.conditions:
        if condition.type is Condition.READY or condition.status:
            name = style(
                f"{condition.type:<12}", fg=COLOURS[condition.type] if condition.status else "red"
            )
            lines.append(f"  {name} {condition.message}")
    lines += [
        f"  {style('✗', fg='red')} {resource.id}  {resource.message}"
        for resource in status.resources
        if resource.condition is not Condition.READY
    ]
    return "\n".join(lines)


def render_records(records: Iterable[Record]) -> str:
    """Return recorded resources as a table."""
    rows = [
        (
            record.id,
            record.provider,
            record.run.partition("-")[0],
            _describe(record),
            _locate(record),
        )
        for record in sorted(records, key=lambda item: item.id)
    ]
    return render_table(("RESOURCE", "PROVIDER", "RUN", "DETAIL", "SOURCE"), rows)


def _locate(record: Record) -> str:
    return str(record.source) if record.source.file else "-"


DETAIL = 48


def _describe(record: Record) -> str:
    if record.error:
        return record.error
    names = [
        name for name in ("path", "pid", "output", "id", "address") if name in record.attributes
    ]
    text = ", ".join(
        f"{n}={render_canonical(as_json(record.attributes[n])).decode()}" for n in names
    )
    return text if len(text) <= DETAIL else text[: DETAIL - 1] + "…"


def render_log(commits: Iterable[Commit]) -> str:
    """Return the state log as a story, newest first, as `git log --oneline` does."""
    return "\n".join(f"{style(commit.id[:10], fg='yellow')} {commit.subject}" for commit in commits)


def render_proof(log: LogProof) -> str:
    """Return the findings of a state log, a line each, and the result last."""
    findings, snapshot = log.proof.findings, log.snapshot
    lines = [f"{style(finding.commit[:10], fg='red')} {finding.message}" for finding in findings]
    result = f"{len(lines)} findings" if lines else "linear, fenced, complete"
    summary = f"{log.proof.entries} entries"
    if snapshot:
        summary += f", the first a snapshot of {snapshot.story}, signed off by {snapshot.by}"
    return "\n".join([*lines, f"{log.infra}: {summary}; {result}"])


def render_compaction(planned: CompactionPlanned) -> str:
    """Return the entries of a state log that become a snapshot, and those that stay."""
    if planned.snapshot is None:
        return f"{planned.infra}: nothing is old enough"
    story = planned.snapshot.story
    return f"{planned.infra}: {story} become a snapshot; {planned.kept:,} entries stay"


def render_lock(found: InfraLock) -> tuple[str, ...]:
    """Return a lock as the cells of a row: infra, state, holder, since, expiry, reason."""
    infra, lock, status = found.infra, found.lock, found.status
    if lock is None or status is None:
        return (infra, "free", "", "", "", "")
    left = "never" if status.remaining is None else f"{status.remaining:.0f} s"
    return (infra, status.standing, str(lock.holder), lock.acquired_at, left, lock.reason)


def render_difference(found: LiveDrift) -> str:
    """Return the live resources that are not as recorded, field by field."""
    from provisioning.interfaces.cli.render.plans import render_fields

    report = found.report
    if not report.changed and not report.missing:
        return f"{found.infra}: what is live is as it was recorded."
    lines = [style(found.infra, bold=True)]
    lines += [style(f"  - {name}", fg="red") + "  is gone" for name in report.missing]
    for name, fields in report.changed.items():
        lines.append(style(f"  ~ {name}", fg="yellow"))
        lines += render_fields(fields)
    return "\n".join(lines)

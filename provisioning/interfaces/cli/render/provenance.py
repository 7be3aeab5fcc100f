"""The answers to `why` and `impact` as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from click import style

from provisioning.core.plan.text import render_value
from provisioning.core.status.impact import Impact
from provisioning.core.status.provenance import Application, Authorship, Compacted, Link, Provenance
from provisioning.core.status.secret_usage import SecretFile, SecretUsage, Usage


def render_why(why: Provenance) -> str:
    """Return the chain of places, each with its author, and the run last."""
    title = f"{why.infra} {why.id}" + (f" .spec.{why.field}" if why.field else "")
    value = f" = {render_value(why.value)}" if why.field and why.value is not None else ""
    lines = [style(title, bold=True) + value]
    if not why.is_desired:
        lines.append("  Git does not ask for it any more")
    elif why.field and not _is_stated(why):
        lines.append("  no manifest states this field: it is the provider's choice, or its default")
    for link in why.links:
        lines += _render_link(link)
    lines += _render_applied(why.applied, is_newer=why.is_newer)
    return "\n".join(lines)


def _is_stated(why: Provenance) -> bool:
    return ".spec." in why.links[0].what if why.links else False


def _render_link(link: Link) -> Iterator[str]:
    written = f" = {render_value(link.written)}" if link.written is not None else ""
    yield f"  {link.what}{written}"
    place = f"{link.source}  " if link.source else ""
    yield style(f"      {place}({link.layer})", dim=True)
    if link.by:
        yield style(f"      {_render_author(link.by)}", dim=True)


def _render_author(by: Authorship) -> str:
    return f"{by.commit[:10]} {by.author}, {_render_moment(by.time)}: {by.subject}"


def _render_moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")


def _render_applied(applied: Application | Compacted | None, *, is_newer: bool) -> Iterator[str]:
    if applied is None:
        yield "  no run has applied it yet"
        return
    number = applied.run.partition("-")[0]
    if isinstance(applied, Compacted):
        yield f"  recorded by run {number}, which was compacted"
        return
    outcome = applied.outcome or "touched"
    because = f": {applied.because}" if applied.because else ""
    yield f"  {outcome} by run {number}{because}"
    yield style(
        f"      {applied.entry[:10]} {applied.actor}, {applied.time} ({applied.reason}), "
        f"of {applied.commit[:10]}",
        dim=True,
    )
    if is_newer:
        yield style("  it was changed in Git since the last run", fg="yellow")


def render_secret_usage(secret_usage: SecretUsage) -> str:
    """Return the files that hold it, the settings that name it, and each field that reads it."""
    lines = [style(secret_usage.secret, bold=True)]
    for file in secret_usage.files:
        lines += _render_file(file)
    if not secret_usage.files:
        lines.append(style("  no committed file holds it", fg="yellow"))
    for link in secret_usage.settings:
        lines += _render_link(link)
    for usage in secret_usage.used:
        lines += _render_usage(usage)
    if not secret_usage.used:
        lines.append("  no resource uses it")
    return "\n".join(lines)


def _render_file(file: SecretFile) -> Iterator[str]:
    made = f"  {file.fingerprint} of {file.created}" if file.fingerprint else ""
    yield f"  {file.file}{f': {file.key}' if file.key and file.is_there else ''}{made}"
    if not file.is_there:
        yield style(f"      it has no {file.key!r}", fg="yellow")
    if file.by:
        yield style(f"      {_render_author(file.by)}", dim=True)


def _render_usage(usage: Usage) -> Iterator[str]:
    yield from _render_link(usage.link)
    for name, way in usage.reads.items():
        yield style(f"      reads {name}{_render_way(way)}", dim=True)
    for line in _render_applied(usage.applied, is_newer=usage.is_newer):
        yield f"    {line}"


def _render_way(way: tuple[str, ...]) -> str:
    return f" through {', '.join(way)}" if way else ""


def render_impact(found: Mapping[str, Sequence[Impact]], ignored: Sequence[str]) -> str:
    """Return each infra with its resources and why, and the counts last."""
    lines = []
    for infra, impacts in found.items():
        lines.append(style(infra, bold=True))
        width = max(len(impact.name[1]) for impact in impacts)
        lines += [_render_affected(impact, width) for impact in impacts]
    lines += [f"{path} is no part of any desired state" for path in ignored]
    count = sum(map(len, found.values()))
    if not count:
        return "\n".join([*lines, "Nothing can be affected."])
    resources = f"{count} resource{'s' * (count != 1)}"
    infras = f"{len(found)} infra{'s' * (len(found) != 1)}"
    return "\n".join([*lines, f"{resources} of {infras} can be affected."])


def _render_affected(impact: Impact, width: int) -> str:
    cause = "" if impact.via or impact.cause in impact.why else style(f"  {impact.cause}", dim=True)
    return f"  {impact.name[1]:<{width}}  {impact.why}{cause}"

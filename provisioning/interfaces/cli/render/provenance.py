"""The answer to `why` as text."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from click import style

from provisioning.core.plan.text import render_value
from provisioning.core.status.provenance import Application, Authorship, Compacted, Link, Provenance


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
        lines += render_link(link)
    lines += render_application(why.applied, is_newer=why.is_newer)
    return "\n".join(lines)


def _is_stated(why: Provenance) -> bool:
    return ".spec." in why.links[0].what if why.links else False


def render_link(link: Link) -> Iterator[str]:
    """Yield the lines of one place: what it says, where it is, and who wrote it."""
    written = f" = {render_value(link.written)}" if link.written is not None else ""
    yield f"  {link.what}{written}"
    place = f"{link.source}  " if link.source else ""
    yield style(f"      {place}({link.layer})", dim=True)
    if link.by:
        yield style(f"      {render_author(link.by)}", dim=True)


def render_author(by: Authorship) -> str:
    """Return who, when and in which commit, on one line."""
    return f"{by.commit[:10]} {by.author}, {render_moment(by.time)}: {by.subject}"


def render_moment(seconds: float) -> str:
    """Return a time in UTC as people read it, to the minute."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")


def render_application(applied: Application | Compacted | None, *, is_newer: bool) -> Iterator[str]:
    """Yield which run applied it, and that what Git asks for *is_newer*."""
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

"""Where a secret is kept and who uses it, as text."""

from __future__ import annotations

from collections.abc import Iterator

from click import style

from provisioning.core.status.secret_usage import SecretFile, SecretUsage, Usage
from provisioning.interfaces.cli.render.provenance import (
    render_application,
    render_author,
    render_link,
)


def render_usages(secret_usage: SecretUsage) -> str:
    """Return the files that hold it, the settings that name it, and each field that reads it."""
    lines = [style(secret_usage.secret, bold=True)]
    for file in secret_usage.files:
        lines += _render_file(file)
    if not secret_usage.files:
        lines.append(style("  no committed file holds it", fg="yellow"))
    for link in secret_usage.settings:
        lines += render_link(link)
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
        yield style(f"      {render_author(file.by)}", dim=True)


def _render_usage(usage: Usage) -> Iterator[str]:
    yield from render_link(usage.link)
    for name, way in usage.reads.items():
        yield style(f"      reads {name}{_render_way(way)}", dim=True)
    for line in render_application(usage.applied, is_newer=usage.is_newer):
        yield f"    {line}"


def _render_way(way: tuple[str, ...]) -> str:
    return f" through {', '.join(way)}" if way else ""

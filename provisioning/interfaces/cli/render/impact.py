"""The impact of a change, as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from click import style

from provisioning.core.status.impact import Impact


def render_impacts(found: Mapping[str, Sequence[Impact]], ignored: Sequence[str]) -> str:
    """Return each infra with its resources and why, and the counts last."""
    lines = []
    for infra, impacts in found.items():
        lines.append(style(infra, bold=True))
        width = max(len(impact.name[1]) for impact in impacts)
        lines += [_render(impact, width) for impact in impacts]
    lines += [f"{path} is no part of any desired state" for path in ignored]
    count = sum(map(len, found.values()))
    if not count:
        return "\n".join([*lines, "Nothing can be affected."])
    resources = f"{count} resource{'s' * (count != 1)}"
    infras = f"{len(found)} infra{'s' * (len(found) != 1)}"
    return "\n".join([*lines, f"{resources} of {infras} can be affected."])


def _render(impact: Impact, width: int) -> str:
    cause = "" if impact.via or impact.cause in impact.why else style(f"  {impact.cause}", dim=True)
    return f"  {impact.name[1]:<{width}}  {impact.why}{cause}"

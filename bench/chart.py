"""Draws what a plan costs against its size, from the table of results, beside what Terraform costs.

.venv/bin/python bench/chart.py
"""

from __future__ import annotations

import math
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
SIZES = (10, 100, 1_000, 10_000, 100_000)
TERRAFORM = {1_000: 3.2, 10_000: 20.9}
"""Terraform 1.11, no-op plan of `terraform_data` in few layers or none, on such a machine."""

LINES = (
    ("Terraform, nothing changed", "#7b42bc"),
    ("provisioning, 1 changed, no cache", "#c2670c"),
    ("provisioning, 1 changed", "#1a7f37"),
)
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 360, 64, 250, 24, 44
LEAST, MOST = 0.05, 50.0

Points = dict[int, float]


def read_points(page: str, before: str, after: str) -> Points:
    """Return the processor's seconds in the rows of *page* called *before*, a size, and *after*."""
    found = {}
    for size in SIZES:
        name = re.escape(f"| {before}{size:,}{after} | ")
        row = re.search(name + r"[^|]*\(([0-9.]+) s CPU\)", page)
        if row:
            found[size] = float(row[1])
    return found


def place(size: float, seconds: float) -> tuple[float, float]:
    """Return where a point stands; both axes are logarithmic."""
    across = (math.log10(size) - 1) / 4
    up = math.log(seconds / LEAST) / math.log(MOST / LEAST)
    x = LEFT + across * (WIDTH - LEFT - RIGHT)
    y = HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)
    return round(x, 1), round(y, 1)


def render_chart(series: list[Points]) -> str:
    """Draw *series* in the order of `LINES`, as SVG."""
    font = 'font-family="sans-serif" font-size="12" role="img"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {font}>',
        "<title>Seconds of a plan against the number of resources</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
    ]
    for seconds in (0.1, 1, 10):
        _, y = place(10, seconds)
        parts.append(f'<path d="M{LEFT} {y}H{WIDTH - RIGHT}" stroke="#d0d7de"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{seconds:g} s</text>')
    for size in SIZES:
        x, y = place(size, LEAST)
        parts.append(f'<text x="{x}" y="{y + 18}" text-anchor="middle">{size:,}</text>')
    unit = "resources; seconds of the processor, for Terraform by the clock"
    parts.append(f'<text x="{LEFT}" y="{HEIGHT - 8}">{unit}</text>')
    for points, (label, colour) in zip(series, LINES, strict=True):
        places = [place(size, seconds) for size, seconds in points.items()]
        if not places:
            continue
        way = " ".join(f"{x},{y}" for x, y in places)
        parts.append(f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in places]
        x, y = places[-1]
        last = list(points.values())[-1]
        text = f"{label}: {last:.1f} s"
        parts.append(f'<text x="{x + 10}" y="{y + 4}" fill="{colour}">{text}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def write_chart(page: Path) -> None:
    """Draw what *page* tells into the documentation."""
    text = page.read_text(encoding="utf-8")
    series = [
        TERRAFORM,
        read_points(text, "the same, cold cache, ", ""),
        read_points(text, "plan of 1 change among ", ", warm"),
    ]
    (ROOT / "docs/plan-cost.svg").write_text(render_chart(series), encoding="utf-8")


if __name__ == "__main__":
    write_chart(ROOT / "bench/RESULTS.md")

"""The dependency graph as one self-contained SVG, laid out here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape, quoteattr

from provisioning.core.status.conditions import Condition
from provisioning.core.status.dependency_graph import DependencyGraph, Name, Node
from provisioning.core.status.graph_layout import HEIGHT, Box, Layout, compute_layout
from provisioning.interfaces.cli.render.graph import COLOURS, join_name

LETTER, PADDING = 7.3, 12.0
"""How wide a letter of the box's font is at most, and the room beside the text."""

ENTRY = 110
"""The room for one entry of the legend."""

HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width:g} {height:g}"
 width="{width:g}" height="{height:g}" font-size="11"
 font-family="ui-monospace, Menlo, Consolas, monospace">
<title>{count} resources, and what each needs</title>
<rect width="100%" height="100%" fill="#ffffff"/>
<defs><marker id="{tip}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"
 orient="auto"><path d="M0 0 8 4 0 8z" fill="#8a8a8a"/></marker></defs>"""


def render_svg(graph: DependencyGraph, tip: str = "tip") -> str:
    """Return the graph, each resource right of what it needs; no script, no font, no link.

    *tip* is the id of its arrow heads, which differs where several graphs are on one page.
    """
    infras = {infra for infra, _ in graph}
    labels = {name: name[1] if len(infras) == 1 else " ".join(name) for name in graph}
    longest = {name: max(len(labels[name]), len(item.condition)) for name, item in graph.items()}
    widths = {name: round(count * LETTER + 2 * PADDING, 1) for name, count in longest.items()}
    layout = compute_layout({name: node.needs for name, node in graph.items()}, widths)
    conditions = {node.condition for node in graph.values()}
    legend = [item for item in Condition if item in conditions]
    head = HEAD.format(
        width=max(layout.width, 40.0 + ENTRY * len(legend)),
        height=layout.height + HEIGHT,
        count=len(graph),
        tip=tip,
    )
    boxes = (_render_box(labels[name], item, layout.boxes[name]) for name, item in graph.items())
    bottom = _render_legend(legend, layout.height)
    return "\n".join([head, *_render_edges(layout, tip), *boxes, *bottom, "</svg>"])


def _render_edges(layout: Layout[Name], tip: str) -> Iterator[str]:
    for (need, user), points in layout.routes.items():
        names = quoteattr(f"{join_name(need)} {join_name(user)}")
        yield (
            f'<path data-edge={names} d="{_render_path(points)}" fill="none" stroke="#8a8a8a" '
            f'marker-end="url(#{tip})"/>'
        )


def _render_path(points: Sequence[tuple[float, float]]) -> str:
    """Return a curve from layer to layer, and straight lines past those in between."""
    path = f"M{points[0][0]:g} {points[0][1]:g}"
    for number in range(0, len(points) - 1, 2):
        (x, y), (to_x, to_y) = points[number], points[number + 1]
        bend = (to_x - x) / 2
        path += f" C{x + bend:g} {y:g} {to_x - bend:g} {to_y:g} {to_x:g} {to_y:g}"
        if number + 2 < len(points):
            path += f" L{points[number + 2][0]:g} {points[number + 2][1]:g}"
    return path


def _render_box(label: str, node: Node, box: Box) -> str:
    _, fill, ink = COLOURS[node.condition]
    return (
        f"<g data-node={quoteattr(join_name(node.name))}>"
        f"<title>{escape(f'{label}: {node.condition}, {node.message}')}</title>"
        f'<rect x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}" rx="5" '
        f'fill="{fill}" stroke="{ink}"/>'
        f'<text x="{box.x + PADDING:g}" y="{box.y + 13:g}" fill="#1b1b1b">{escape(label)}</text>'
        f'<text x="{box.x + PADDING:g}" y="{box.y + 25:g}" fill="{ink}" font-size="9">'
        f"{node.condition}</text></g>"
    )


def _render_legend(conditions: Sequence[Condition], top: float) -> Iterator[str]:
    for number, condition in enumerate(conditions):
        _, fill, ink = COLOURS[condition]
        x = 16 + ENTRY * number
        yield (
            f'<rect x="{x}" y="{top:g}" width="10" height="10" fill="{fill}" stroke="{ink}"/>'
            f'<text x="{x + 16}" y="{top + 9:g}" fill="#1b1b1b">{condition}</text>'
        )

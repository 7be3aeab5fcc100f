"""The dependency graph as a tree, as lines, and as DOT."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from click import style

from provisioning.core.model.graph import compute_order, invert
from provisioning.core.status.conditions import Condition
from provisioning.core.status.dependency_graph import DependencyGraph, Name, Node

COLOURS = {
    Condition.READY: ("green", "#d7f0dd", "#1a7f37"),
    Condition.RECONCILING: ("yellow", "#fff3c4", "#8a6100"),
    Condition.STALLED: ("red", "#ffdcd7", "#b3261e"),
    Condition.BLOCKED: ("magenta", "#ecdcff", "#6f42c1"),
    Condition.PENDING: ("cyan", "#d8ecfb", "#0b62a8"),
    Condition.LEAVING: (None, "#e6e6e6", "#555555"),
}
"""The colour of each condition: on a terminal, of a box, and of its border and text."""


def render_tree(graph: DependencyGraph, infras: Collection[str]) -> str:
    """Return what nothing in its infra needs, and below it what it needs; each in full once."""
    users = invert({name: node.needs for name, node in graph.items()})
    shown: set[Name] = set()
    lines: list[str] = []
    for infra in sorted(infras):
        roots = [name for name in graph if name[0] == infra and not _has_user(users, name)]
        lines.append(style(infra, bold=True))
        for number, name in enumerate(roots, start=1):
            branch = _choose_branch(number, len(roots))
            lines += _grow(graph, name, "", branch, shown, infra)
    return "\n".join(lines)


def _has_user(users: dict[Name, list[Name]], name: Name) -> bool:
    return any(user[0] == name[0] for user in users.get(name, ()))


def _choose_branch(number: int, count: int) -> tuple[str, str]:
    """Return what stands before an entry, and before what is below it."""
    return ("└── ", "    ") if number == count else ("├── ", "│   ")


def _grow(
    graph: DependencyGraph,
    name: Name,
    indent: str,
    branch: tuple[str, str],
    shown: set[Name],
    infra: str,
) -> Iterator[str]:
    node = graph[name]
    label = indent + branch[0] + _label(node, infra)
    if name in shown and node.needs:
        yield f"{label}  (above)"
        return
    shown.add(name)
    yield label
    for number, need in enumerate(node.needs, start=1):
        following = _choose_branch(number, len(node.needs))
        yield from _grow(graph, need, indent + branch[1], following, shown, infra)


def _label(node: Node, infra: str) -> str:
    text = style(node.condition, fg=COLOURS[node.condition][0])
    plain = node.condition in {Condition.READY, Condition.LEAVING} or not node.message
    return f"{_shorten(node.name, infra)}  {text}" + ("" if plain else f": {node.message}")


def render_lines(graph: DependencyGraph) -> str:
    """Return a line a resource, what it needs before it; for readers without a picture."""
    order = compute_order({name: node.needs for name, node in graph.items()})
    lines = []
    for name in order:
        needs = ", ".join(_shorten(need, name[0]) for need in graph[name].needs)
        line = f"{name[0]}  {_label(graph[name], name[0])}"
        lines.append(f"{line}  needs {needs}" if needs else line)
    return "\n".join(lines)


def _shorten(name: Name, infra: str) -> str:
    return name[1] if name[0] == infra else " ".join(name)


def render_dot(graph: DependencyGraph) -> str:
    """Return the graph in Graphviz's language; arrows lead from what is needed to its user."""
    lines = ["digraph provisioning {", '  rankdir=LR; node [shape=box, style="rounded,filled"];']
    for number, infra in enumerate(sorted({infra for infra, _ in graph})):
        lines += [f"  subgraph cluster_{number} {{", f'    label="{infra}";']
        for name, node in graph.items():
            if name[0] == infra:
                _, fill, ink = COLOURS[node.condition]
                lines.append(
                    f'    "{join_name(name)}" [label="{name[1]}\\n{node.condition}", '
                    f'fillcolor="{fill}", color="{ink}"];'
                )
        lines.append("  }")
    lines += [
        f'  "{join_name(need)}" -> "{join_name(name)}";'
        for name, node in graph.items()
        for need in node.needs
    ]
    return "\n".join([*lines, "}"])


def join_name(name: Name) -> str:
    """Return one word for infra and resource."""
    return ".".join(name)

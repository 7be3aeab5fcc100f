"""The dependency graph of resources, which `tree` and `graph` draw. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TypeAlias

import msgspec
from msgspec.structs import replace

from provisioning.core.expressions.interpolation import Reference, parse_text
from provisioning.core.model.graph import has_cycle, open_cycles
from provisioning.core.model.ids import ResourceId, get_number
from provisioning.core.model.records import Record
from provisioning.core.model.resources import Resource
from provisioning.core.model.values import read_at
from provisioning.core.status.conditions import Condition

Name: TypeAlias = tuple[str, ResourceId]
"""An infra and a resource in it."""


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One resource: its condition, a message, and its dependencies."""

    name: Name
    condition: Condition
    message: str
    needs: tuple[Name, ...]


DependencyGraph: TypeAlias = Mapping[Name, Node]
"""Every node by its name; each of its needs is a node, too."""


class View(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one infra: manifests, records, running operations, and suspensions."""

    desired: Mapping[ResourceId, Resource]
    records: Mapping[ResourceId, Record]
    running: Collection[ResourceId] = ()
    suspended: Mapping[ResourceId, str] = msgspec.field(default_factory=dict)


def compute_dependency_graph(views: Mapping[str, View]) -> DependencyGraph:
    """Return the dependencies in all *views*, references across infras included.

    A resource that is no longer desired is a node while it is recorded; one of an infra that is
    not in *views* is a node without needs.
    """
    nodes = {
        (infra, name): _build_node(infra, name, view)
        for infra, view in views.items()
        for name in {**view.desired, **view.records}
    }
    for node in list(nodes.values()):
        for need in node.needs:
            if need not in nodes:
                is_ours = need[0] in views
                message = "no manifest defines it" if is_ours else f"of infra {need[0]}"
                nodes[need] = Node(
                    name=need, condition=Condition.PENDING, message=message, needs=()
                )
    return dict(sorted(_open_leaving(nodes, views).items()))


def _open_leaving(nodes: Mapping[Name, Node], views: Mapping[str, View]) -> DependencyGraph:
    """Open cycles at resources to be pruned: their records come from different runs."""
    needs = {name: node.needs for name, node in nodes.items()}
    if not has_cycle(needs):
        return nodes
    leaving = [name for name in nodes if _is_leaving(name, views)]
    leaving.sort(key=lambda name: (-get_number(views[name[0]].records[name[1]].run), name))
    opened = open_cycles(needs, [*sorted(nodes.keys() - leaving), *leaving])
    return {**nodes, **{name: replace(nodes[name], needs=opened[name]) for name in leaving}}


def _is_leaving(name: Name, views: Mapping[str, View]) -> bool:
    infra, resource = name
    return infra in views and resource in views[infra].records.keys() - views[infra].desired.keys()


def focus_graph(graph: DependencyGraph, infra: str) -> DependencyGraph:
    """Return the nodes of *infra*, and those of others that they need, without what these need."""
    own = {name: node for name, node in graph.items() if name[0] == infra}
    needed = {need for node in own.values() for need in node.needs} - own.keys()
    others = {name: replace(graph[name], needs=()) for name in needed}
    return dict(sorted({**own, **others}.items()))


def _build_node(infra: str, name: ResourceId, view: View) -> Node:
    resource, record = view.desired.get(name), view.records.get(name)
    condition, message = _compute_condition(resource, record, is_running=name in view.running)
    if name in view.suspended:
        condition, message = Condition.BLOCKED, view.suspended[name]
    found = (
        list_needs(infra, resource)
        if resource
        else [(infra, need) for need in (record.depends_on if record else ())]
    )
    return Node(
        name=(infra, name), condition=condition, message=message, needs=tuple(dict.fromkeys(found))
    )


def _compute_condition(
    resource: Resource | None, record: Record | None, *, is_running: bool
) -> tuple[Condition, str]:
    if is_running:
        return Condition.RECONCILING, "a run works on it"
    if resource is None:
        return Condition.LEAVING, "it is no longer desired"
    if record is None:
        return Condition.PENDING, ""
    if record.error:
        return Condition.STALLED, record.error
    return Condition.READY, "applied"


def list_needs(infra: str, resource: Resource) -> Iterator[Name]:
    """Yield the dependencies of *resource* of *infra*, in its own infra and in others."""
    for need in resource.dependencies:
        yield infra, need
    for reference in list_references(resource):
        if reference.namespace == "infra":
            yield reference.steps[0], ResourceId(reference.steps[1])


def list_references(resource: Resource) -> Iterator[Reference]:
    """Yield every interpolation in the spec of *resource*."""
    for hole in resource.templated:
        for part in parse_text(read_at(resource.spec, hole.path)):
            if isinstance(part, Reference):
                yield part

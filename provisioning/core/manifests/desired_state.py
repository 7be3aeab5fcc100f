"""Joins the resources of all manifests of an infra into one desired state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from provisioning.core.expressions.interpolation import Reference
from provisioning.core.expressions.references import Lookup, find_left_secrets, resolve_static
from provisioning.core.model.errors import (
    InvalidManifest,
    InvalidWorkspace,
    ProvisioningError,
    Source,
)
from provisioning.core.model.graph import compute_order
from provisioning.core.model.ids import CommitId, ResourceId
from provisioning.core.model.kinds import HANDED_OVER, Kind, get_kind
from provisioning.core.model.resources import Resource
from provisioning.core.model.sensitive import has_secret
from provisioning.core.model.states import DesiredState
from provisioning.core.model.values import Tree, find_nearest


def compute_desired(
    infra: str,
    commit: CommitId,
    resources: Iterable[Resource],
    kinds: Mapping[str, Kind],
    lookup: Lookup,
) -> DesiredState:
    """Check *resources* as a whole, and resolve what does not depend on other resources.

    Args:
        infra: The infra's name.
        commit: The commit they were read from.
        resources: Those of every manifest, in any order.
        kinds: The kinds of all providers.
        lookup: Answers the namespaces that are not about resources.

    Raises:
        InvalidManifest: If one thing is wrong.
        InvalidWorkspace: If several things are wrong.
        DependencyCycle: If there is no order to apply them in.
    """
    declared, problems = _index(resources)
    by_id = {name: item for name, item in declared.items() if item.removed is None}
    resolved: dict[ResourceId, Resource] = {}
    left: dict[str, Tree] = {}
    reads: dict[str, Tree] = {}
    has_secrets = False

    def look_up(reference: Reference, source: Source) -> Tree:
        value = reads[str(reference)] = lookup(reference, source)
        return value

    for resource in by_id.values():
        problems += _find_dangling(resource, by_id)
        problems += _find_moves(resource, by_id, infra)
        if not resource.templated:
            resolved[resource.id] = resource
            continue
        try:
            new = resolved[resource.id] = resolve_static(resource, look_up)
            left |= {str(name): look_up(name, where) for name, where in find_left_secrets(new)}
        except ProvisioningError as exc:
            problems.append(exc)
            continue
        if new.spec is not resource.spec:
            has_secrets = has_secrets or has_secret(new.spec)
            problems += find_spec_problems(new, get_kind(kinds, new))
    raise_problems(problems)
    graph = {name: resource.dependencies for name, resource in resolved.items()}
    order = compute_order(graph, lambda name: resolved[name].source)
    return DesiredState(
        infra=infra,
        commit=commit,
        resources=resolved,
        order=tuple(order),
        secrets=left,
        has_secrets=has_secrets or bool(left),
        reads=reads,
        removed={name: item for name, item in declared.items() if item.removed is not None},
    )


def raise_problems(problems: list[ProvisioningError]) -> None:
    """Raise what is in *problems*: nothing, the only one, or all as one error."""
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise InvalidWorkspace(problems)


def _index(
    resources: Iterable[Resource],
) -> tuple[dict[ResourceId, Resource], list[ProvisioningError]]:
    by_id: dict[ResourceId, Resource] = {}
    problems: list[ProvisioningError] = []
    for resource in sorted(resources, key=lambda each: (each.source.file, each.source.line)):
        first = by_id.setdefault(resource.id, resource)
        if first is not resource:
            problems.append(_describe_twin(first, resource))
    return by_id, problems


def _describe_twin(first: Resource, second: Resource) -> InvalidManifest:
    if first.removed is second.removed:
        return InvalidManifest(
            f"{second.id} is defined twice, first at {first.source}",
            hint="rename one of the two",
            source=second.source,
        )
    gone, there = (first, second) if first.removed else (second, first)
    return InvalidManifest(
        f"{gone.id} is declared to be removed, and is still defined at {there.source}",
        hint="remove `removed`, or the definition",
        source=gone.source,
    )


def _find_dangling(
    resource: Resource, known: Mapping[ResourceId, Resource]
) -> list[ProvisioningError]:
    return [
        InvalidManifest(
            f"{resource.id} refers to {target}, which is not in this infra",
            hint=f"did you mean {nearest}?"
            if (nearest := find_nearest(target, set(known)))
            else "define it, or remove the reference",
            source=_locate_reference(resource, target),
        )
        for target in resource.dependencies
        if target not in known
    ]


def _locate_reference(resource: Resource, target: ResourceId) -> Source:
    from provisioning.core.model.values import read_at

    for hole in resource.templated:
        if f"resources.{target}" in str(read_at(resource.spec, hole.path)):
            return Source(resource.source.file, hole.line)
    return resource.source


def _find_moves(
    resource: Resource, known: Mapping[ResourceId, Resource], infra: str
) -> list[ProvisioningError]:
    if resource.moved_infra == infra:
        return [
            InvalidManifest(
                f"{resource.id} says it was in {infra}, where it is",
                hint="leave `infra` out of `moved`",
                source=resource.source,
            )
        ]
    if resource.moved_infra or resource.moved_from is None or resource.moved_from not in known:
        return []
    return [
        InvalidManifest(
            f"{resource.id} says it was {resource.moved_from}, which is still defined at "
            f"{known[resource.moved_from].source}",
            hint="remove `moved`, or the old definition",
            source=resource.source,
        )
    ]


def find_spec_problems(resource: Resource, kind: Kind) -> list[ProvisioningError]:
    """Check the spec of *resource* again, after interpolations were filled in."""
    from provisioning.core.model.values import render_path

    holes = {hole.path for hole in resource.templated}
    exposed: list[ProvisioningError] = [
        InvalidManifest(
            f"{resource.id}: spec.{name} says where the resource is, and cannot be secret",
            hint="take the secret out of it",
            source=Source(resource.source.file, resource.lines.get(name, resource.source.line)),
        )
        for name in kind.identity
        if has_secret(resource.spec.get(name))
    ]
    exposed += [
        InvalidManifest(
            f"{resource.id}: {reason}",
            hint=HANDED_OVER,
            source=Source(
                resource.source.file,
                resource.lines.get(name.partition(".")[0], resource.source.line),
            ),
        )
        for name, reason in kind.find_exposures(resource.spec)
    ]
    return exposed + [
        InvalidManifest(
            f"{resource.id}: spec.{render_path(problem.path)}: {problem.message}",
            hint=f"`provisioning schema {resource.kind}` shows what it may be",
            source=Source(
                resource.source.file,
                resource.lines.get(str(problem.path[0]), resource.source.line)
                if problem.path
                else resource.source.line,
            ),
        )
        for problem in kind.find_problems(resource.spec, holes)
    ]

"""Traces a field to its sources: manifest, settings, other resources, and their commits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from provisioning.config.provenance import Origin
from provisioning.core.expressions.interpolation import Reference, find_templated, parse_text
from provisioning.core.expressions.references import SECRETS
from provisioning.core.model.errors import InvalidArgument, Source
from provisioning.core.model.ids import ResourceId
from provisioning.core.model.kinds import get_kind
from provisioning.core.model.records import Record
from provisioning.core.model.resources import Resource
from provisioning.core.model.schemas.field_tree import parse_name
from provisioning.core.model.values import (
    Path,
    Tree,
    find_nearest,
    parse_field,
    read_at,
    render_path,
)
from provisioning.core.statelog.transitions import LogView
from provisioning.core.status.provenance import COMPUTED, MANIFEST, Authorship, Link, Provenance
from provisioning.gitstore.statelog.applications import find_application
from provisioning.reconciler.explain.checkout import Checkout


def trace_provenance(
    checkout: Checkout, infra: str, view: LogView, name: ResourceId, text: str | None
) -> Provenance:
    """Trace the resource *name* of *infra*, or its field at the path *text*, as in `.spec.mode`.

    Raises:
        InvalidArgument: If it was never desired, or has no such field.
    """
    path = parse_field(text) if text else None
    resource = checkout.read_resources(infra).get(name)
    applied, record = find_application(checkout.repository, view.head, name, path or None)
    if resource is None and applied is None and record is None:
        nearest = find_nearest(name, {*checkout.read_resources(infra)})
        raise InvalidArgument(
            f"no resource is called {name!r}, and none ever was",
            hint=f"did you mean {nearest}?" if nearest else "`provisioning get` lists them",
        )
    links: tuple[Link, ...] = ()
    if resource is not None:
        links = trace_field(checkout, infra, resource, path) if path else ()
        links = links or trace_resource(checkout, infra, resource)
    return Provenance(
        infra=infra,
        id=name,
        field=render_path(path) if path else "",
        value=_read_recorded(record, path) if record and path else None,
        links=links,
        applied=applied,
        is_desired=resource is not None,
        is_newer=is_newer(checkout, view, (link.by for link in links)),
    )


def is_newer(checkout: Checkout, view: LogView, authors: Iterable[Authorship | None]) -> bool:
    """Tell whether one of *authors* committed after the last run of *view*."""
    run, is_ancestor = view.run, checkout.repository.is_ancestor
    return run is not None and any(by and not is_ancestor(by.commit, run.commit) for by in authors)


def _read_recorded(record: Record, path: Path) -> Tree:
    try:
        return read_at({**record.attributes, **record.spec}, path)
    except KeyError:
        return None


MAX_DEPTH = 16
"""References that are followed one after the other."""


def trace_resource(checkout: Checkout, infra: str, resource: Resource) -> tuple[Link, ...]:
    """Return the manifest of *resource*, and the settings that decide on it."""
    link = link_manifest(checkout, resource, infra, ("kind",), written=None)
    return link, *_Tracer(checkout).trace_given(infra, resource, 0)


def trace_field(checkout: Checkout, infra: str, resource: Resource, path: Path) -> tuple[Link, ...]:
    """Return every source of the field at *path* below `spec`, nearest first.

    A field that no manifest states has none: the provider chooses it.

    Raises:
        InvalidArgument: If the kind has no such field.
    """
    _check_field(checkout, resource, path)
    tracer = _Tracer(checkout)
    return tuple(tracer.trace(infra, resource, path, 0))


def _check_field(checkout: Checkout, resource: Resource, path: Path) -> None:
    kind = get_kind(checkout.kinds, resource)
    known = {*kind.get_known_fields(), *kind.tree.keys}
    if not path or path[0] in known:
        return
    nearest = find_nearest(str(path[0]), known)
    raise InvalidArgument(
        f"{resource.id} has no field {render_path(path)!r}",
        hint=f"did you mean {nearest!r}?" if nearest else f"it has: {', '.join(sorted(known))}",
    )


@dataclass(slots=True)
class _Tracer:
    checkout: Checkout
    seen: set[str] = field(default_factory=set)

    def trace(self, infra: str, resource: Resource, path: Path, depth: int) -> Iterator[Link]:
        path, written = _find_stated(resource, path)
        name = f"{infra} {resource.id}.{render_path(path)}"
        if not path or name in self.seen or depth > MAX_DEPTH:
            return
        self.seen.add(name)
        yield link_manifest(self.checkout, resource, infra, ("spec", *path), written=written)
        yield from self.trace_given(infra, resource, depth)
        kind = get_kind(self.checkout.kinds, resource)
        if kind.tree.find(path).field.file and isinstance(written, str):
            source, by = Source(written, 1), self.checkout.find_last_author(written)
            yield Link(what=written, layer="file", source=source, by=by)
        for _, text in find_templated(written):
            for part in parse_text(text):
                if isinstance(part, Reference):
                    yield from self._follow(infra, part, depth + 1)

    def trace_given(self, infra: str, resource: Resource, depth: int) -> Iterator[Link]:
        """Yield the settings that decide whether *resource* exists."""
        for reference in resource.given:
            yield from self._follow_setting(infra, reference.partition(".")[2], depth + 1)

    def _follow(self, infra: str, reference: Reference, depth: int) -> Iterator[Link]:
        match reference.namespace:
            case "resources":
                yield from self._follow_resource(infra, reference.steps, reference, depth)
            case "infra":
                other, *steps = reference.steps
                yield from self._follow_resource(other, tuple(steps), reference, depth)
            case "config":
                yield from self._follow_setting(infra, ".".join(reference.steps), depth)
            case namespace if namespace == SECRETS:
                yield self._link_secret(infra, reference)
            case "env":
                yield Link(what=str(reference), layer="environment variable")
            case _:
                yield Link(what=str(reference), layer="fact")

    def _follow_resource(
        self, infra: str, steps: tuple[str, ...], reference: Reference, depth: int
    ) -> Iterator[Link]:
        resource = self.checkout.read_resources(infra).get(ResourceId(steps[0]))
        if resource is None:
            yield Link(what=str(reference), layer=f"state log of {infra}")
            return
        wanted = tuple(steps[1:])
        if wanted and wanted[0] in resource.spec:
            yield from self.trace(infra, resource, wanted, depth)
            return
        yield Link(what=str(reference), layer=COMPUTED, source=resource.source)
        kind = get_kind(self.checkout.kinds, resource)
        names = kind.tree.find(wanted).field.derived_from if wanted else ()
        derived = None if names is None else dict.fromkeys(parse_name(it)[0] for it in names)
        for name in resource.spec if derived is None else derived:
            if name in resource.spec:
                yield from self.trace(infra, resource, (name,), depth)

    def _follow_setting(self, infra: str, key: str, depth: int) -> Iterator[Link]:
        if key in self.seen or depth > MAX_DEPTH:
            return
        self.seen.add(key)
        for item in reversed(self.checkout.load_layers(infra).explain(key)):
            if item.origin is None or not item.wins:
                continue
            yield link_setting(self.checkout, key, item.value, item.origin)
            for _, text in find_templated(item.value):
                for part in parse_text(text):
                    if isinstance(part, Reference):
                        yield from self._follow(infra, part, depth + 1)

    def _link_secret(self, infra: str, reference: Reference) -> Link:
        found = self.checkout.find_secret_file(infra, reference.steps[0])
        if found is None:
            return Link(what=str(reference), layer=SECRETS)
        source, by = Source(found[0], 1), self.checkout.find_last_author(found[0])
        return Link(what=str(reference), layer=SECRETS, source=source, by=by)


def _find_stated(resource: Resource, path: Path) -> tuple[Path, Tree]:
    """Return the longest part of *path* that the manifest states, and its value."""
    for length in range(len(path), 0, -1):
        try:
            return path[:length], read_at(resource.spec, path[:length])
        except KeyError:
            continue
    return (), None


def link_setting(checkout: Checkout, key: str, written: Tree, origin: Origin) -> Link:
    """Return the link to the setting *key*; only files of the workspace have an author."""
    source = origin.source
    is_ours = source is not None and not source.file.startswith("/")
    by = checkout.find_author(source) if source and is_ours else None
    return Link(what=f"config.{key}", layer=origin.layer, written=written, source=source, by=by)


def link_manifest(
    checkout: Checkout, resource: Resource, infra: str, path: Path, *, written: Tree
) -> Link:
    """Return the link to *path*, from the top of the manifest of *resource*."""
    source = checkout.find_line(resource, path)
    shown = f" .{render_path(path)}" if path[0] == "spec" else ""
    return Link(
        what=f"{infra} {resource.id}{shown}",
        layer=MANIFEST,
        written=written,
        source=source,
        by=checkout.find_author(source),
    )

"""What a reference to another resource gives: before it is applied, and after."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import msgspec
from msgspec import UNSET

from provisioning.core.expressions.interpolation import (
    Reference,
    parse_text,
    resolve_partly,
    resolve_text,
)
from provisioning.core.model.errors import InvalidManifest, Source
from provisioning.core.model.ids import ResourceId
from provisioning.core.model.kinds import LOCATION, Kind
from provisioning.core.model.resources import Resource
from provisioning.core.model.schemas.field_tree import Field, FieldTree, touches
from provisioning.core.model.sensitive import Secret, expand_unseen, is_marked, mark_secrets, reveal
from provisioning.core.model.values import (
    Omitted,
    Path,
    Sensitive,
    Tree,
    Unknown,
    find_nearest,
    read_at,
    replace_at,
)

SECRETS = "secrets"
"""The namespace of values that nobody may see."""

Lookup = Callable[[Reference, Source], Tree]


def know_nothing(reference: Reference, source: Source) -> Tree:
    """Answer, where nothing is known, that *reference* has no value."""
    raise InvalidManifest(
        f"{{{{{reference}}}}} has no value here", hint="write the value itself", source=source
    )


class KnownValues(msgspec.Struct, frozen=True):
    """What can be said of a resource's fields at this point of a run.

    `values` are known; the names in `pending` will be known once it is applied.
    """

    id: ResourceId
    values: Mapping[str, Tree]
    pending: frozenset[str] = frozenset()

    def get(self, steps: tuple[str, ...], reference: Reference, source: Source | None) -> Tree:
        """Return the value at *steps*; without steps the resource's own id or name.

        Raises:
            InvalidManifest: If there is no such field, or its value is not kept.
        """
        if not steps:
            return self._get_identity(reference)
        if steps[0] in self.pending:
            return Unknown(str(reference))
        value, is_secret = self.values, False
        for step in steps:
            if isinstance(value, Unknown):
                return Unknown(str(reference))
            if isinstance(value, Secret):
                value, is_secret = reveal(value), True
            try:
                value = read_at(value, (_as_step(value, step),))
            except KeyError:
                raise self._describe_missing(steps, source) from None
        if isinstance(value, Omitted | Sensitive):
            raise InvalidManifest(
                f"{{{{{reference}}}}} names a value that the state log does not keep",
                hint="refer to another field, or repeat the value",
                source=source,
            )
        return Secret(value) if is_secret else value

    def _get_identity(self, reference: Reference) -> Tree:
        if "id" in self.pending:
            return Unknown(str(reference))
        return self.values.get("id", self.id.partition("/")[2])

    def _describe_missing(self, steps: tuple[str, ...], source: Source | None) -> InvalidManifest:
        names = sorted({*self.values, *self.pending})
        nearest = find_nearest(steps[0], names)
        known = f"did you mean {nearest!r}?" if nearest else f"it has: {', '.join(names) or 'none'}"
        return InvalidManifest(
            f"{self.id} has no field {'.'.join(steps)!r}", hint=known, source=source
        )


def _as_step(tree: Tree, step: str) -> str | int:
    return int(step) if isinstance(tree, list) and step.isdecimal() else step


def resolve_static(resource: Resource, lookup: Lookup) -> Resource:
    """Return *resource* with every interpolation resolved that names no other resource."""
    spec = resource.spec
    left = []
    for hole in resource.templated:
        source = Source(resource.source.file, hole.line)
        text = read_at(resource.spec, hole.path)
        if any(_names_resource(part) for part in parse_text(text, source)):
            left.append(hole)
            new = resolve_partly(text, _skip_later(lookup, source), source)
        else:
            new = resolve_text(text, _bind(lookup, source), source)
        if new != text:
            spec = replace_at(spec, hole.path, _always(new))
    return msgspec.structs.replace(resource, spec=spec, templated=tuple(left))


def resolve_spec(resource: Resource, lookup: Lookup) -> dict[str, Tree]:
    """Return the spec of *resource* with every interpolation replaced by *lookup*'s answer."""
    spec = resource.spec
    for hole in resource.templated:
        source = Source(resource.source.file, hole.line)
        text = read_at(resource.spec, hole.path)
        spec = replace_at(
            spec, hole.path, _always(resolve_text(text, _bind(lookup, source), source))
        )
    return spec


def _names_resource(part: str | Reference) -> bool:
    return isinstance(part, Reference) and part.resource is not None


def _bind(lookup: Lookup, source: Source) -> Callable[[Reference], Tree]:
    return lambda reference: lookup(reference, source)


def _skip_later(lookup: Lookup, source: Source) -> Callable[[Reference], Tree]:
    """Leave resources for later, and secrets with them: a text with one left would show it."""

    def answer(reference: Reference) -> Tree:
        is_later = reference.resource or reference.namespace == SECRETS
        return reference if is_later else lookup(reference, source)

    return answer


def find_left_secrets(resource: Resource) -> Iterator[tuple[Reference, Source]]:
    """Yield the secrets that `resolve_static` left in *resource*."""
    for hole in resource.templated:
        source = Source(resource.source.file, hole.line)
        for part in parse_text(read_at(resource.spec, hole.path), source):
            if isinstance(part, Reference) and part.namespace == SECRETS:
                yield part, source


def _always(value: Tree) -> Callable[[Tree], Tree]:
    return lambda _: value


def expand_spec(
    kind: Kind, spec: dict[str, Tree], files: Mapping[str, bytes], *, is_secret: bool = False
) -> dict[str, Tree]:
    """Return *spec* as it is compared and applied; *is_secret* if a secret is in it."""
    expand = kind.expand
    if expand is not None:
        spec = (
            expand_unseen(spec, lambda visible: expand(visible, files))
            if is_secret
            else expand(spec, files)
        )
    return {**spec, LOCATION: dict(kind.location)} if kind.location else spec


def compute_known_values(
    resource: ResourceId,
    kind: Kind,
    spec: Mapping[str, Tree],
    attributes: Mapping[str, Tree] | None,
    changed: frozenset[str],
    *,
    is_secret: bool = False,
    planned: Mapping[str, Tree] | None = None,
) -> KnownValues:
    """Return what a reference gives while *resource* is still to be applied.

    Args:
        resource: Its id.
        kind: Its kind.
        spec: Its desired spec.
        attributes: What is live and stays so; None if it will be made anew.
        changed: The paths that are to change.
        is_secret: There is a secret in *spec*.
        planned: The attributes that its provider plans; all others are foreseen here.
    """
    tree, live = kind.tree, attributes or {}
    pending = frozenset(
        name
        for name, below in tree.keys.items()
        if name not in spec and (attributes is None or _is_affected(below.field, changed))
    )
    values, foresight = {**live, **spec}, _Foresight(resource, changed)
    for name, below in tree.keys.items():
        if below.plain and below.chooses and name in values:
            sides = (it.get(name, UNSET) for it in (spec, live))
            values[name] = foresight.foresee(below, (name,), *sides)
    if planned:
        values = _overlay(resource, values, planned)
    if tree.hides or (is_secret and attributes is not None) or (planned and is_marked(spec)):
        values = mark_secrets(kind, values, spec)
    return KnownValues(resource, values, pending - (planned or {}).keys())


def _overlay(path: str, values: Tree, planned: Tree) -> Tree:
    """Return *values* with what is *planned*; what is not known yet is called by its *path*."""
    if isinstance(planned, Unknown):
        return Unknown(f"resources.{path}")
    if isinstance(planned, Mapping):
        known = values if isinstance(values, Mapping) else {}
        new = {it: _overlay(f"{path}.{it}", known.get(it), planned[it]) for it in planned}
        return {**known, **new}
    if isinstance(planned, list | tuple):
        return [_overlay(f"{path}.{at}", None, it) for at, it in enumerate(planned)]
    return planned


def _is_affected(field: Field, changed: frozenset[str]) -> bool:
    if not field.computed or field.derived_from is None:
        return field.computed and bool(changed)
    return any(touches(name, path) for name in field.derived_from for path in changed)


class _Foresight(msgspec.Struct, frozen=True):
    """Says what is known below a field of *resource*, and what only after *changed* is applied."""

    resource: ResourceId
    changed: frozenset[str]

    def foresee(self, tree: FieldTree, path: Path, wanted: Tree, live: Tree) -> Tree:
        """Return the value at *path*, of which *wanted* is desired and *live* is there."""
        if tree.field.computed or wanted is live is UNSET:
            is_known = live is not UNSET and not _is_affected(tree.field, self.changed)
            return live if is_known else self._name(path)
        known = live if wanted is UNSET else wanted
        if tree.plain is None or not tree.chooses:
            return known
        match known:
            case dict():
                return self._foresee_map(tree, path, wanted, live)
            case list():
                old = [UNSET if it is None else it for it in tree.pair(known, live)]
                new = [UNSET] * len(known) if wanted is UNSET else known
                pairs = enumerate(zip(new, old, strict=True))
                return [self.foresee(tree.get_item(), (*path, at), *pair) for at, pair in pairs]
        return known

    def _foresee_map(self, tree: FieldTree, path: Path, wanted: Tree, live: Tree) -> Tree:
        asked, there = (it if isinstance(it, dict) else {} for it in (wanted, live))
        names = [name for name in (*there, *tree.keys) if _is_chosen(tree, name)]
        return {
            name: self.foresee(
                tree.get_key(name), (*path, name), asked.get(name, UNSET), there.get(name, UNSET)
            )
            for name in dict.fromkeys((*there,) if wanted is UNSET else (*asked, *names))
        }

    def _name(self, path: Path) -> Unknown:
        return Unknown(".".join(("resources", self.resource, *map(str, path))))


def _is_chosen(tree: FieldTree, name: str) -> bool:
    below = tree.get_key(name)
    return below.chooses if name in tree.keys else below.field.computed or below.field.defaulted

"""What the core knows of a kind: how each field behaves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from provisioning.core.model.errors import ProviderMisbehaved
from provisioning.core.model.schemas.field_tree import (
    Field,
    FieldTree,
    ListBehaviour,
    build_tree,
    find_values,
    parse_name,
)
from provisioning.core.model.schemas.spec_schema import Problem, SpecSchema, list_known
from provisioning.core.model.values import Path, Tree

if TYPE_CHECKING:
    from pydantic import BaseModel

__all__ = ["LOCATION", "Field", "Kind", "ListBehaviour", "Problem"]

LOCATION = "@location"
"""The field, in specs and attributes, of the settings that locate a resource; no manifest has it.

The engine adds it to what a located kind asks for and to what its provider answers. It is
immutable: a resource whose location changes is replaced.
"""


class Kind(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """What a provider says of a kind.

    Args:
        name: As manifests write it, `File`.
        provider: The name of the provider instance that serves it.
        summary: One sentence for `provisioning schema`.
        fields: Those with a behaviour of their own; any other field is plain.
        identity: The fields that say where the live resource is, for kinds that are found
            by place rather than by mark. They are immutable.
        model: Loads the Pydantic model of `spec`; called only when a manifest is new.
        schema: Loads the JSON Schema of `spec`, of draft 2020-12, for a kind without a model. It
            refers to nothing outside of itself.
        expand: Turns what the author wrote into what is compared and applied, given the
            workspace files the spec names; pure. `Unknown` leaves must stay unknown.
        create_before_delete: A replacement may stand beside what it replaces.
        stateful: Deleting it loses data.
        recorded_only: It lives in the state log alone, so there is nothing to observe.
        location: The settings of the instance that locate its resources, as root or region;
            empty for a kind that is nowhere in particular.
    """

    name: str
    provider: str
    summary: str
    model: Callable[[], type[BaseModel]] | None = None
    schema: Callable[[], Mapping[str, Any]] | None = None
    fields: tuple[Field, ...] = ()
    identity: tuple[str, ...] = ()
    expand: Callable[[dict[str, Tree], Mapping[str, bytes]], dict[str, Tree]] | None = None
    create_before_delete: bool = False
    stateful: bool = False
    recorded_only: bool = False
    location: Mapping[str, Tree] = {}

    @cached_property
    def tree(self) -> FieldTree:
        """The places of the spec and of the provider's answer, with their behaviours."""
        return build_tree(self.name, self.fields)

    def get_field(self, name: str) -> Field:
        """Return the behaviour of the field at the top with *name*."""
        return self.tree.get_key(name).field

    def pick_place(self, values: Mapping[str, Tree]) -> dict[str, Tree]:
        """Return those of *values* that say where a resource is.

        What was recorded without a location is where the instance looks now.
        """
        place = {name: values[name] for name in self.identity if name in values}
        if self.location:
            place[LOCATION] = values.get(LOCATION, self.location)
        return place

    def get_file_paths(self, spec: Mapping[str, Tree]) -> tuple[str, ...]:
        """Return the workspace files that *spec* names."""
        return tuple(text for _, text in self.find_files(spec))

    def find_files(self, spec: Mapping[str, Tree]) -> Iterator[tuple[Path, str]]:
        """Yield the workspace files that *spec* names, each with the path where it does."""
        for field in self.fields:
            if field.file:
                found = find_values(dict(spec), parse_name(field.name))
                yield from ((path, text) for path, text in found if isinstance(text, str))

    @cached_property
    def spec_schema(self) -> SpecSchema | None:
        """The checked schema of `spec`, if the kind has one instead of a model.

        Raises:
            ProviderMisbehaved: If it is none, or one that could do harm.
        """
        return SpecSchema.load(self.name, self.schema) if self.schema else None

    def _load_model(self) -> type[BaseModel]:
        if self.model is None:
            raise ProviderMisbehaved(
                f"kind {self.name} has neither a model nor a schema",
                hint="this is a defect of its provider; report it",
            )
        return self.model()

    def find_problems(self, spec: Mapping[str, Tree], templated: set[Path]) -> list[Problem]:
        """Check *spec*, forgiving what an interpolation will still fill in."""
        from provisioning.core.model.sensitive import reveal

        visible = reveal(dict(spec))
        if self.spec_schema:
            return self.spec_schema.find_problems(visible, templated)
        from pydantic import ValidationError

        try:
            self._load_model().model_validate(visible, strict=True)
        except ValidationError as exc:
            holes = {path[0] for path in templated}
            return [
                Problem(tuple(error["loc"]), error["type"], error["msg"])
                for error in exc.errors(include_url=False, include_input=False)
                if not (error["loc"] and error["loc"][0] in holes)
            ]
        return []

    def build_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of `spec`; what it shares with other places is in `$defs`."""
        if self.spec_schema:
            return deepcopy(dict(self.spec_schema.schema))
        return self._load_model().model_json_schema(ref_template="#/$defs/{model}")

    def get_known_fields(self, path: Path = ()) -> list[str]:
        """Return the names a manifest may use below *path* of `spec`."""
        if path or self.spec_schema:
            known = list_known(self.build_schema(), path)
        else:
            fields = self._load_model().model_fields
            known = [info.alias or name for name, info in fields.items()]
        return [name for name in known if not self.tree.find((*path, name)).field.computed]


class OfKind(Protocol):
    """Anything that names a kind and the provider instance that serves it."""

    @property
    def kind(self) -> str:
        """The kind's name."""

    @property
    def provider(self) -> str:
        """The instance's name."""


def build_kinds(kinds: Iterable[Kind]) -> dict[str, Kind]:
    """Return *kinds* by name; where several instances serve one, the first is the default.

    Each other one is found by its instance, as `instance:Kind`.
    """
    found: dict[str, Kind] = {}
    for kind in kinds:
        name = kind.name if kind.name not in found else f"{kind.provider}:{kind.name}"
        found[name] = kind
    return found


def find_kind(kinds: Mapping[str, Kind], subject: OfKind) -> Kind | None:
    """Return the kind of *subject* as its provider instance serves it; None if none does."""
    kind = kinds.get(subject.kind)
    if kind is None or kind.provider == subject.provider:
        return kind
    return kinds.get(f"{subject.provider}:{subject.kind}")


def get_kind(kinds: Mapping[str, Kind], subject: OfKind) -> Kind:
    """Return the kind of *subject*, which was compiled with *kinds*.

    Raises:
        KeyError: If no instance serves it.
    """
    kind = find_kind(kinds, subject)
    if kind is None:
        raise KeyError(f"{subject.provider}:{subject.kind}")
    return kind

"""What the core knows of a kind: how each field behaves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import msgspec
from msgspec.structs import replace

from provisioning.core.model.errors import ProviderMisbehaved
from provisioning.core.model.resources import API_VERSION
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

PRIVATE = "@private"
"""The attribute for a provider's own data: a text that is recorded and given back unchanged.

It is neither compared nor shown, and holds no secret, for the state log keeps it as it is.
"""

HANDLE = "@handle"
"""The attribute that names an operation of a provider which is under way; see `Pending`."""


Upgraded: TypeAlias = tuple[dict[str, Tree], dict[str, Tree]]
"""A spec and attributes, as a newer version of their kind has them."""


HANDED_OVER = "hand the secret over by `env`, or by a File that only its reader may read"
"""The hint where everybody would see a secret."""


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
        api_version: The group and version that manifests name the kind by.
        provider_type: The provider behind the instance; "" if it has the instance's name.
        schema_version: The version of its fields; a provider raises it when their meaning or a
            schema that is data changes.
        upgrade: Turns spec and attributes that were recorded in an older version, its first
            argument, into those of `schema_version`; pure.
        rivals: The other providers that serve it; then a manifest must name one.
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
    api_version: str = API_VERSION
    provider_type: str = ""
    schema_version: int = 1
    upgrade: Callable[[int, dict[str, Tree], dict[str, Tree]], Upgraded] | None = None
    rivals: tuple[str, ...] = ()

    @property
    def type_name(self) -> str:
        """The name of the provider that serves it, whatever the instance is called."""
        return self.provider_type or self.provider

    @property
    def version(self) -> str:
        """A text that changes with all that decides how manifests and records are read."""
        parts = self.name, self.api_version, self.provider, self.provider_type, self.fields
        flags = self.recorded_only, bool(self.expand), self.identity, {**self.location}
        return repr((*parts, *flags, self.schema_version, self.rivals))

    @cached_property
    def tree(self) -> FieldTree:
        """The places of the spec and of the provider's answer, with their behaviours."""
        return build_tree(self.name, self.fields)

    def get_field(self, name: str) -> Field:
        """Return the behaviour of the field at the top with *name*."""
        return self.tree.get_key(name).field

    def may_be_secret(self, steps: Sequence[str]) -> bool:
        """Return whether the value at *steps* is sensitive, holds, or is derived from such a one.

        Args:
            steps: The names of a reference, from a field of the spec or the answer on.
        """
        top = self.get_field(steps[0])
        if top.computed and not top.public:
            names = top.derived_from
            return self.tree.hides and (
                names is None or any(self.tree.get_key(name).hides for name in names)
            )
        places = (self.tree.find(tuple(steps[: count + 1])) for count in range(len(steps)))
        return any(place.field.sensitive for place in places) or self.tree.find((*steps,)).hides

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

    def find_exposures(self, spec: Mapping[str, Tree]) -> Iterator[tuple[str, str]]:
        """Yield each field of *spec* whose secret everybody would see, and why it is refused."""
        from provisioning.core.model.sensitive import has_secret

        for field in self.fields:
            if field.visible:
                found = find_values(dict(spec), parse_name(field.name))
                if any(has_secret(value) for _, value in found):
                    reason = "can be seen by everybody, and cannot hold a secret"
                    yield field.name, f"spec.{field.name} {reason}"

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
    def api_version(self) -> str:
        """The kind's group and version."""

    @property
    def kind(self) -> str:
        """The kind's name."""

    @property
    def provider(self) -> str:
        """The instance's name."""

    @property
    def provider_type(self) -> str:
        """The provider behind the instance; "" if it has the instance's name."""


def build_kinds(kinds: Iterable[Kind]) -> dict[str, Kind]:
    """Return *kinds* by name, those of another group as `group/version/Kind`.

    The first instance that serves a kind is its default; each other one is found by its
    instance too, as `instance:Kind`. If the others are of other providers, the default has them
    as `rivals`.
    """
    found: dict[str, Kind] = {}
    for kind in kinds:
        name = build_kind_name(kind.api_version, kind.name)
        default = found.setdefault(name, kind)
        if default is kind:
            continue
        found[f"{kind.provider}:{name}"] = kind
        if kind.type_name not in {default.type_name, *default.rivals}:
            found[name] = replace(default, rivals=(*default.rivals, kind.type_name))
    return found


def build_kind_name(api_version: str, name: str) -> str:
    """Return the name of a kind among `build_kinds`."""
    return name if api_version == API_VERSION else f"{api_version}/{name}"


def find_kind(kinds: Mapping[str, Kind], subject: OfKind) -> Kind | None:
    """Return the kind of *subject* as its provider instance serves it; None if none does.

    If its instance is no longer configured, the default instance of the same provider serves it,
    at the location that was recorded.
    """
    name = build_kind_name(subject.api_version, subject.kind)
    default = kinds.get(name)
    for instance in (subject.provider, subject.provider_type):
        if default is None or default.provider == instance:
            return default
        if found := kinds.get(f"{instance}:{name}"):
            return found
    return None


def get_kind(kinds: Mapping[str, Kind], subject: OfKind) -> Kind:
    """Return the kind of *subject*, which was compiled with *kinds*.

    Raises:
        KeyError: If no instance serves it.
    """
    kind = find_kind(kinds, subject)
    if kind is None:
        raise KeyError(f"{subject.provider}:{subject.kind}")
    return kind

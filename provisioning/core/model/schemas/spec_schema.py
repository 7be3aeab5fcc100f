"""JSON Schemas of specs, draft 2020-12: their known fields, and the problems of a spec.

A schema may come from anybody. It is given a limited amount of work, its patterns run in linear
time, and it cannot refer to anything outside of itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import msgspec

from provisioning.core.model.errors import ProviderMisbehaved
from provisioning.core.model.schemas.field_tree import ANY, ITEM
from provisioning.core.model.values import Path, Tree, is_deeper

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

DIALECT = "https://json-schema.org/draft/2020-12/schema"

MAX_DEPTH = 64
"""How deep a schema may nest."""

MAX_PARTS = 20_000
"""How many maps and lists a schema may have."""

MAX_WORK = 50_000
"""How many keywords of a schema may be tried on one spec."""

MAX_PROBLEMS = 100
"""How many problems of one spec are reported."""


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong with a spec: where, Pydantic's error type, and the message."""

    path: Path
    type: str
    message: str


# What a schema knows


def find_places(schema: Mapping[str, Any], steps: Sequence[str | int]) -> Iterator[dict[str, Any]]:
    """Yield the parts of *schema* that describe the place at *steps* of a field, or of a path."""
    places: list[Any] = [schema]
    for step in steps:
        parts = [part for place in places for part in _spread(schema, place)]
        places = [it for part in parts for it in _go(part, step)]
    yield from (place for place in places if isinstance(place, dict))


def list_known(schema: Mapping[str, Any], steps: Sequence[str | int]) -> list[str]:
    """Return the keys that *schema* names for the map at *steps*."""
    parts = (part for place in find_places(schema, steps) for part in _spread(schema, place))
    return list(dict.fromkeys(name for part in parts for name in part.get("properties", {})))


def _spread(schema: Mapping[str, Any], place: Any) -> list[Mapping[str, Any]]:
    """Return *place* and all that applies to the same value, each once."""
    found: dict[int, Mapping[str, Any]] = {}
    front = [place]
    while front:
        part = front.pop()
        if not isinstance(part, Mapping) or id(part) in found:
            continue
        found[id(part)] = part
        front += [it for key in ("allOf", "anyOf", "oneOf") for it in _as_list(part.get(key))]
        front += [part.get(key) for key in ("if", "then", "else")]
        front += _as_map(part.get("dependentSchemas")).values()
        if isinstance(reference := part.get("$ref"), str) and _LOCAL.match(reference):
            front.append(_follow(schema, reference))
    return [*found.values()]


def _follow(schema: Mapping[str, Any], reference: str) -> Any:
    place: Any = schema
    for step in reference.removeprefix("#").split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        place = place.get(name) if isinstance(place, Mapping) else None
    return place


def _go(part: Mapping[str, Any], step: str | int) -> list[Any]:
    if isinstance(step, int) or step == ITEM:
        return [part.get("items"), *_as_list(part.get("prefixItems"))]
    properties = _as_map(part.get("properties"))
    others = [part.get("additionalProperties"), *_as_map(part.get("patternProperties")).values()]
    if step == ANY:
        return [*properties.values(), *others]
    return [properties[step]] if step in properties else others


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _as_map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


# What is wrong with a spec


class SpecSchema(msgspec.Struct, frozen=True, kw_only=True):
    """The checked schema of the specs of *kind*."""

    kind: str
    schema: Mapping[str, Any]
    validator: Any

    @classmethod
    def load(cls, kind: str, load: Callable[[], Mapping[str, Any]]) -> SpecSchema:
        """Load and check the schema of *kind*.

        Raises:
            ProviderMisbehaved: If it is no schema, or one that could fetch, hang or overflow.
        """
        from jsonschema import FormatChecker
        from jsonschema.exceptions import SchemaError

        try:
            schema = msgspec.json.decode(msgspec.json.encode(load()), type=dict[str, Any])
        except Exception as exc:
            raise _blame(kind, f"cannot be loaded: {type(exc).__name__}: {exc}") from exc
        if is_deeper(schema, MAX_DEPTH):
            raise _blame(kind, f"nests more than {MAX_DEPTH} levels deep")
        if str(schema.get("$schema", DIALECT)).removesuffix("#") != DIALECT:
            raise _blame(kind, f"is of the dialect {schema['$schema']!r:.100}, not {DIALECT}")
        _check_parts(kind, schema)
        build = _load_dialect()
        try:
            build.check_schema(schema, format_checker=FormatChecker(formats=()))
        except SchemaError as exc:
            at = "/".join(map(str, exc.absolute_path)) or "its root"
            raise _blame(kind, f"is no JSON Schema of draft 2020-12, at {at}") from None
        from referencing import Registry

        return cls(kind=kind, schema=schema, validator=build(schema, registry=Registry()))

    def list_known(self, steps: Sequence[str | int]) -> list[str]:
        """Return the keys that the schema names for the map at *steps*."""
        return list_known(self.schema, steps)

    def find_problems(self, spec: Tree, holes: set[Path]) -> list[Problem]:
        """Check *spec*; what the interpolations at *holes* will still fill in is forgiven.

        Raises:
            ProviderMisbehaved: If the schema takes too much work, or refers to what is not there.
        """
        from referencing.exceptions import Unresolvable

        token = _work.set([MAX_WORK])
        try:
            found = self._list_problems(spec, holes)
        except Unresolvable as exc:
            raise _blame(self.kind, f"refers to {exc.ref!r}, which is not in it") from None
        except RecursionError:
            raise _blame(self.kind, "refers to itself without end") from None
        except _TooMuchWork:
            raise _blame(self.kind, f"needs more than {MAX_WORK} steps for one spec") from None
        except _BadPattern as exc:
            raise _blame(self.kind, f"has the pattern {exc.pattern!r}, {_NOT_LINEAR}") from None
        finally:
            _work.reset(token)
        return found

    def _list_problems(self, spec: Tree, holes: set[Path]) -> list[Problem]:
        problems: dict[Problem, None] = {}
        for error in self.validator.iter_errors(spec):
            problems.update(dict.fromkeys(self._report(error, holes)))
            if len(problems) >= MAX_PROBLEMS:
                break
        return [*problems][:MAX_PROBLEMS]

    def _report(self, error: ValidationError, holes: set[Path]) -> Iterator[Problem]:
        path = tuple(error.absolute_path)
        if error.validator in (_EXTRA, None):
            yield Problem(path, "extra_forbidden", "There is no such field")
            return
        if any(path[: len(hole)] == hole for hole in holes):
            return
        is_above = any(hole[: len(path)] == path for hole in holes)
        if error.validator in ("anyOf", "oneOf") and error.context:
            yield from self._report_branches(error, holes)
        elif is_above and error.validator not in _SURE:
            return
        elif not (holes and {"then", "else"} & {*map(str, error.absolute_schema_path)}):
            yield from self._describe(path, error)

    def _report_branches(self, error: ValidationError, holes: set[Path]) -> Iterator[Problem]:
        """Yield what is wrong with the branch that fits best; nothing if one may still fit."""
        branches: dict[Any, list[Problem]] = {}
        for below in error.context:
            branches.setdefault(below.schema_path[0], []).extend(self._report(below, holes))
        path = tuple(error.absolute_path)
        if not all(branches.values()):
            return
        fitting = [it for it in branches.values() if not _is_of_type(it, path)]
        if fitting:
            yield from min(fitting, key=len)
        else:
            yield from (problem for it in branches.values() for problem in it)

    def _describe(self, path: Path, error: ValidationError) -> Iterator[Problem]:
        word = str(error.validator)
        wanted: Any = error.validator_value
        found: Any = error.instance
        match word:
            case "type":
                names = wanted if isinstance(wanted, list) else [wanted]
                yield from (Problem(path, _TYPES[name], "Input has another type") for name in names)
            case "required":
                # The library reports one error for each, and names it only in its message.
                missing = [name for name in wanted if name not in found]
                yield from (Problem((*path, it), "missing", "Field required") for it in missing)
            case "unevaluatedProperties" if extras := found.keys() - {*self.list_known(path)}:
                for name in sorted(extras):
                    yield Problem((*path, name), "extra_forbidden", "There is no such field")
            case "enum" | "const":
                choices = wanted if word == "enum" else [wanted]
                text = " or ".join(f"{it!r:.60}" for it in choices[:20])
                yield Problem(path, "literal_error", f"Input should be {text}")
            case _ if word in _WORDS:
                yield Problem(path, "value_error", _WORDS[word].format(wanted))
            case _:
                yield Problem(path, "value_error", f"Value error, does not fit the schema: {word}")


_SURE = frozenset({"type", "required", "dependentRequired"}) | {
    f"{limit}{what}" for limit in ("min", "max") for what in ("Items", "Properties")
}
"""The keywords that say the same of a map or a list, whatever is filled in below it."""

_TYPES = {
    "string": "string_type",
    "integer": "int_type",
    "number": "float_type",
    "boolean": "bool_type",
    "array": "list_type",
    "object": "dict_type",
    "null": "none_required",
}

_WORDS = {
    "minimum": "Input should be at least {}",
    "maximum": "Input should be at most {}",
    "exclusiveMinimum": "Input should be more than {}",
    "exclusiveMaximum": "Input should be less than {}",
    "multipleOf": "Input should be a multiple of {}",
    "minLength": "Input should have at least {} characters",
    "maxLength": "Input should have at most {} characters",
    "minItems": "Input should have at least {} items",
    "maxItems": "Input should have at most {} items",
    "minProperties": "Input should have at least {} keys",
    "maxProperties": "Input should have at most {} keys",
    "pattern": "Input should match {!r:.200}",
    "uniqueItems": "Input should have no item twice",
}


def _is_of_type(problems: list[Problem], path: Path) -> bool:
    return any(it.path == path and it.type in _TYPES.values() for it in problems)


# The dialect


class _TooMuchWork(Exception):
    pass


class _BadPattern(Exception):
    def __init__(self, pattern: str) -> None:
        super().__init__(pattern)
        self.pattern = pattern


_NOT_LINEAR = "which cannot be searched for in linear time"

_work: ContextVar[list[int]] = ContextVar("_work")
"""How many keywords may still be tried."""

_LOCAL = re.compile("#(/|$)")

_EXTRA = "extra"
"""The keyword that a key which `additionalProperties` forbids is reported with."""


def _blame(kind: str, what: str) -> ProviderMisbehaved:
    return ProviderMisbehaved(
        f"the schema of kind {kind} {what}", hint="this is a defect of its provider; report it"
    )


def _check_parts(kind: str, schema: dict[str, Any]) -> None:
    front: list[Tree] = [schema]
    closed: list[dict[str, Any]] = []
    count = 0
    while front:
        part = front.pop()
        count += isinstance(part, dict | list)
        if count > MAX_PARTS:
            raise _blame(kind, f"has more than {MAX_PARTS} parts")
        front += part.values() if isinstance(part, dict) else _as_list(part)
        if not isinstance(part, dict):
            continue
        if isinstance(part.get("$ref"), str) and not _LOCAL.match(part["$ref"]):
            raise _blame(kind, f"refers to {part['$ref']!r:.100}, which is no path in itself")
        if foreign := [
            word
            for word in ("$dynamicRef", "$id")
            if isinstance(part.get(word), str) and (part is not schema or word != "$id")
        ]:
            raise _blame(kind, f"uses {foreign[0]} inside")
        closed += [part] if "unevaluatedProperties" in part else []
    for part in closed:
        spread = _spread(schema, part)
        count += len(spread)
        # The library searches for these patterns by an engine whose time has no limit.
        if count > MAX_PARTS or any("patternProperties" in it for it in spread):
            raise _blame(kind, "uses unevaluatedProperties together with patternProperties")


@cache
def _load_dialect() -> Any:
    """Return the validator of draft 2020-12, with limited work and with linear patterns."""
    from jsonschema import Draft202012Validator, validators

    words = {**Draft202012Validator.VALIDATORS, "pattern": _check_pattern}
    words["patternProperties"] = _check_pattern_properties
    words["additionalProperties"] = _check_additional
    counted = {word: partial(_count, check) for word, check in words.items()}
    return validators.extend(Draft202012Validator, counted)  # type: ignore[no-untyped-call]


def _count(
    check: Callable[..., Any], validator: Validator, wanted: Any, found: Tree, schema: Any
) -> Iterator[Any]:
    left = _work.get()
    left[0] -= 1
    if left[0] < 0:
        raise _TooMuchWork
    yield from check(validator, wanted, found, schema) or ()


@cache
def _compile(pattern: str) -> Any:
    """Return a search for *pattern* by Pydantic's engine, which takes linear time."""
    from pydantic_core import SchemaError, SchemaValidator, core_schema

    try:
        return SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex"))
    except SchemaError:
        raise _BadPattern(pattern) from None


def _matches(pattern: str, text: str) -> bool:
    return bool(_compile(pattern).isinstance_python(text))


def _fits_pattern(schema: Any, name: str) -> bool:
    return any(_matches(pattern, name) for pattern in schema.get("patternProperties", {}))


def _check_pattern(_: Validator, wanted: str, found: Tree, __: Any) -> Iterator[ValidationError]:
    from jsonschema.exceptions import ValidationError

    if isinstance(found, str) and not _matches(wanted, found):
        yield ValidationError("does not match")


def _check_pattern_properties(
    validator: Any, wanted: Mapping[str, Any], found: Tree, _: Any
) -> Iterator[ValidationError]:
    if isinstance(found, dict):
        for pattern, below in wanted.items():
            for name, item in found.items():
                if _matches(pattern, name):
                    yield from validator.descend(item, below, path=name, schema_path=pattern)


def _check_additional(
    validator: Any, wanted: Any, found: Tree, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    from jsonschema.exceptions import ValidationError

    if not isinstance(found, dict):
        return
    properties = schema.get("properties", {})
    for name, item in found.items():
        if name in properties or _fits_pattern(schema, name):
            continue
        if wanted is False:
            yield ValidationError("is not known", path=[name], validator=_EXTRA)
        else:
            yield from validator.descend(item, wanted, path=name)

"""The one grammar of `{{…}}`, for configuration and manifests.

    text      = *( literal / "{{{{" / "{{" *SP namespace 1*( "." step ) *SP "}}" )
    namespace = "env" / "paths" / "now" / "git" / "config" / "secrets"
              / "resources" "." Kind "/" name / "infra" "." infra "." Kind "/" name

`{{{{` stands for a literal `{{`, `{{{…}}` for a `{` before a reference; a step holds no brace.
A string that is one interpolation and nothing else takes
the value with its type; otherwise values are written into the text. It is no template
language: there are no loops, no conditions and no functions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby

import msgspec

from provisioning.core.model.errors import InvalidManifest, Source
from provisioning.core.model.ids import KIND, NAME, ResourceId
from provisioning.core.model.sensitive import Secret, has_secret, reveal
from provisioning.core.model.values import (
    Omitted,
    Path,
    Sensitive,
    Tree,
    Unknown,
    find_nearest,
    render_canonical,
)

NAMESPACES = ("config", "env", "git", "infra", "now", "paths", "resources", "secrets")

_TOKEN = re.compile(r"\{\{\{\{|\{\{(?!\{)(?:(.*?)\}\})?", re.DOTALL)
_RESOURCE = re.compile(r"([A-Z][A-Za-z0-9]*)/([a-z0-9](?:[a-z0-9_-]*[a-z0-9])?)(?:\.(.+))?\Z")


class Reference(msgspec.Struct, frozen=True):
    """What one `{{…}}` names: a namespace and the steps below it.

    In `resources` the first step is the resource's id, in `infra` the infra and then the id.
    """

    namespace: str
    steps: tuple[str, ...]

    @property
    def resource(self) -> ResourceId | None:
        """The resource of the same infra that it names, if it names one."""
        return ResourceId(self.steps[0]) if self.namespace == "resources" else None

    def __str__(self) -> str:
        return ".".join((self.namespace, *self.steps))


def is_templated(text: str) -> bool:
    """Tell whether *text* needs `resolve_text` at all."""
    return "{{" in text


def parse_text(text: str, source: Source | None = None) -> tuple[str | Reference, ...]:
    """Split *text* into literals and references.

    Raises:
        InvalidManifest: If an interpolation is not of the grammar.
    """
    parts: list[str | Reference] = []
    position = 0
    for token in _TOKEN.finditer(text):
        parts.append(text[position : token.start()])
        if token[0] == "{{{{":
            parts.append("{{")
        elif token[1] is None:
            raise InvalidManifest(
                f"an interpolation is not closed: {text[token.start() :][:40]!r}",
                hint="close it with }}, or write {{{{ for two literal braces",
                source=source,
            )
        else:
            parts.append(_parse_reference(token[1].strip(), source))
        position = token.end()
    parts.append(text[position:])
    return tuple(part for part in parts if part != "")


def _parse_reference(text: str, source: Source | None) -> Reference:
    namespace, _, rest = text.partition(".")
    if namespace not in NAMESPACES:
        nearest = find_nearest(namespace, list(NAMESPACES))
        raise InvalidManifest(
            f"unknown namespace {namespace!r} in {{{{{text}}}}}",
            hint=f"did you mean {nearest!r}?" if nearest else f"known: {', '.join(NAMESPACES)}",
            source=source,
        )
    if "{" in rest or "}" in rest:
        raise _malformed(text, f"{{{{{namespace}.NAME}}}}", source)
    if namespace == "infra":
        infra, _, rest = rest.partition(".")
        if not NAME.match(infra):
            raise _malformed(text, "{{infra.NAME.Kind/name.field}}", source)
        return Reference(namespace, (infra, *_parse_resource(text, rest, source)))
    if namespace == "resources":
        return Reference(namespace, _parse_resource(text, rest, source))
    steps = tuple(rest.split("."))
    if not all(steps):
        raise _malformed(text, f"{{{{{namespace}.NAME}}}}", source)
    return Reference(namespace, steps)


def _parse_resource(text: str, rest: str, source: Source | None) -> tuple[str, ...]:
    match = _RESOURCE.match(rest)
    if not match or not KIND.match(match[1]):
        raise _malformed(text, "{{resources.Kind/name.field}}", source)
    steps = tuple(match[3].split(".")) if match[3] else ()
    if not all(steps):
        raise _malformed(text, "{{resources.Kind/name.field}}", source)
    return (f"{match[1]}/{match[2]}", *steps)


def _malformed(text: str, form: str, source: Source | None) -> InvalidManifest:
    return InvalidManifest(
        f"{{{{{text}}}}} is not an interpolation", hint=f"write {form}", source=source
    )


def find_templated(tree: Tree, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield path and text of every string below *tree* that holds an interpolation."""
    match tree:
        case str() if "{{" in tree:
            yield path, tree
        case dict():
            for key, item in tree.items():
                yield from find_templated(item, (*path, key))
        case list() | tuple():
            for index, item in enumerate(tree):
                yield from find_templated(item, (*path, index))


def resolve_text(
    text: str, resolve: Callable[[Reference], Tree], source: Source | None = None
) -> Tree:
    """Return *text* with every reference replaced by what *resolve* answers.

    An `Unknown` anywhere in it makes the whole text unknown, a `Secret` makes it secret.

    Raises:
        InvalidManifest: If a map or a list would be written into a text.
    """
    parts = parse_text(text, source)
    if len(parts) == 1 and isinstance(parts[0], Reference):
        return resolve(parts[0])
    words = []
    is_secret = False
    for part in parts:
        value = part if isinstance(part, str) else resolve(part)
        if isinstance(value, Unknown | Sensitive | Omitted):
            return value
        is_secret = is_secret or has_secret(value)
        words.append(_write(part, reveal(value), source))
    return Secret("".join(words)) if is_secret else "".join(words)


def resolve_partly(
    text: str, resolve: Callable[[Reference], Tree], source: Source | None = None
) -> str:
    """Return *text* with what *resolve* can answer filled in, and the rest still to resolve.

    *resolve* answers a reference that it cannot resolve with the reference itself.
    """

    def answer(part: str | Reference) -> str | Reference:
        value = part if isinstance(part, str) else resolve(part)
        return value if isinstance(value, Reference) else _write(part, value, source)

    return _render(map(answer, parse_text(text, source)))


def _render(parts: Iterable[str | Reference]) -> str:
    """Write *parts* so that they are parsed again; the braces of two parts may meet."""
    runs = groupby(parts, key=lambda part: isinstance(part, Reference))
    return "".join(
        "".join(f"{{{{{part}}}}}" for part in run)
        if is_reference
        else "".join(map(str, run)).replace("{{", "{{{{")
        for is_reference, run in runs
    )


def _write(part: str | Reference, value: Tree, source: Source | None) -> str:
    match value:
        case str():
            return value
        case None | bool() | int() | float():
            return render_canonical(value).decode()
    name = "map" if isinstance(value, dict) else "list"
    raise InvalidManifest(
        f"{{{{{part}}}}} is a {name} and cannot stand inside a text",
        hint="name one of its fields, or let it stand alone in the string",
        source=source,
    )

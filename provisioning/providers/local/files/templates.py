"""Expands a `File`: what the author wrote becomes the content to compare and to write."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from provisioning.core.model.errors import InvalidManifest, Source
from provisioning.core.model.values import Tree, Unknown, find_unknown

if TYPE_CHECKING:
    from jinja2 import Template

    from provisioning.providers.local.files.template_limits import BoundedEnvironment

COMPILED = 256
"""How many templates are kept compiled."""


def expand_file(spec: dict[str, Tree], files: Mapping[str, bytes]) -> dict[str, Tree]:
    """Return *spec* with `content` in place of `template` and `vars`, or of `source`.

    Content is text if it is valid UTF-8, else bytes; while a variable is unknown it is that
    `Unknown`.

    Raises:
        InvalidManifest: If the file is not among *files*, or the template cannot be rendered.
    """
    if "template" in spec:
        content = _render(spec["template"], spec.get("vars", {}), files)
    elif "source" in spec:
        content = _read(spec["source"], files)
    else:
        return spec
    kept = {name: spec[name] for name in spec if name not in {"template", "vars", "source"}}
    return {**kept, "content": content}


def _read(path: str | Unknown, files: Mapping[str, bytes]) -> Tree:
    if isinstance(path, Unknown):
        return path
    raw = _find(path, files)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def _find(path: str, files: Mapping[str, bytes]) -> bytes:
    if path not in files:
        raise InvalidManifest(
            f"there is no file {path!r} in the workspace",
            hint="paths of templates and sources are relative to the workspace; commit the file",
        )
    return files[path]


def _render(path: str | Unknown, values: Tree, files: Mapping[str, bytes]) -> Tree:
    if isinstance(path, Unknown):
        return path
    if unknown := find_unknown(values):
        return unknown
    template = _compile(path, _find(path, files))
    from provisioning.providers.local.files.template_limits import counting_steps

    try:
        with counting_steps():
            text = template.render(values)
        text.encode()  # half of a surrogate pair is no text
    except Exception as exc:
        source = Source(path, _find_line(path, exc))
        raise InvalidManifest(
            f"the template cannot be rendered: {exc}",
            hint="give the value under `vars`, or correct the template",
            source=source,
        ) from exc
    return text


@lru_cache(maxsize=COMPILED)
def _compile(path: str, raw: bytes) -> Template:
    from jinja2 import TemplateSyntaxError

    environment = _load_environment()
    try:
        code = environment.compile(raw.decode(), name=path, filename=path)
    except UnicodeDecodeError as exc:
        line = raw[: exc.start].count(b"\n") + 1
        raise InvalidManifest(
            "the template is not UTF-8",
            hint="save it as UTF-8, or name it as `source`, which takes any bytes",
            source=Source(path, line),
        ) from exc
    except TemplateSyntaxError as exc:
        raise _describe_unreadable(path, exc.lineno, str(exc.message)) from exc
    except Exception as exc:  # Python's own compiler has limits, which Jinja does not know
        raise _describe_unreadable(path, 1, str(exc)) from exc
    return environment.template_class.from_code(environment, code, environment.globals.copy())


def _describe_unreadable(path: str, line: int, why: str) -> InvalidManifest:
    return InvalidManifest(
        f"the template cannot be read: {why}",
        hint="correct it; {% raw %} keeps braces as they are",
        source=Source(path, line),
    )


@cache
def _load_environment() -> BoundedEnvironment:
    from provisioning.providers.local.files.template_limits import BoundedEnvironment

    return BoundedEnvironment(_refuse_strange)


def _find_line(path: str, exc: Exception) -> int:
    frames = traceback.extract_tb(exc.__traceback__)
    return next((frame.lineno or 1 for frame in reversed(frames) if frame.filename == path), 1)


def _refuse_strange(value: object) -> object:
    """Let through what reads the same in every run; a generator would show its address."""
    from jinja2 import Undefined

    if value is None or isinstance(value, str | int | float | list | tuple | dict | Undefined):
        return value
    raise TypeError(f"a {type(value).__name__} cannot be written; is `()` or `|list` missing?")

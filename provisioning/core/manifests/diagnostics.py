"""Says in plain words, and at the place an author knows, what Pydantic found wrong.

Pydantic names the branches of a union in an error's path, and reports one error a branch;
both are its own affair. The messages never show a value, for it may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from provisioning.core.formats.documents import has_place
from provisioning.core.manifests.validation import name_type, suggest
from provisioning.core.model.kinds import Kind, Problem
from provisioning.core.model.values import Path, Tree, find_nearest, read_at

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a map",
    "model_type": "a map",
    "dataclass_type": "a map",
    "none_required": "nothing",
}
_REWORDED = {
    "Value error, ": "",
    "Assertion failed, ": "",
    "Input should ": "must ",
}
_CHOICE = re.compile(r"'([^']*)'")


class Located(msgspec.Struct, frozen=True):
    """One thing that is wrong with a spec, in an author's words."""

    path: Path
    message: str
    hint: str | None


def locate_problems(problems: Sequence[Problem], spec: Tree, kind: Kind) -> Iterator[Located]:
    """Bring *problems* together by their place in *spec*."""
    places: dict[Path, list[Problem]] = {}
    for problem in problems:
        places.setdefault(_find_place(problem, spec), []).append(problem)
    for path, here in places.items():
        yield Located(path, _describe(path, here, spec), _find_hint(path, here[0], spec, kind))


def _find_place(problem: Problem, spec: Tree) -> Path:
    path: Path = ()
    for step in problem.path:
        if has_place(spec, (*path, step)):
            path = (*path, step)
    if problem.type == "missing":
        return (*path, problem.path[-1])
    return path


def _describe(path: Path, problems: list[Problem], spec: Tree) -> str:
    first = problems[0]
    if first.type == "missing":
        return "is missing"
    if first.type == "extra_forbidden":
        return "there is no such field"
    expected = [_EXPECTED[problem.type] for problem in problems if problem.type in _EXPECTED]
    if len(expected) == len(problems):
        wanted = " or ".join(dict.fromkeys(expected))
        return f"must be {wanted}, not {name_type(read_at(spec, path))}"
    return "; or ".join(dict.fromkeys(_reword(problem) for problem in problems))


def _reword(problem: Problem) -> str:
    if problem.type in _EXPECTED:
        return f"must be {_EXPECTED[problem.type]}"
    for prefix, ours in _REWORDED.items():
        if problem.message.startswith(prefix):
            return ours + problem.message.removeprefix(prefix)
    return problem.message[:1].lower() + problem.message[1:]


def _find_hint(path: Path, problem: Problem, spec: Tree, kind: Kind) -> str:
    schema = f"see `provisioning schema {kind.name}`"
    if problem.type == "extra_forbidden" and (known := kind.get_known_fields(path[:-1])):
        return suggest(path[-1], known)
    if problem.type in ("literal_error", "enum"):
        written = read_at(spec, path)
        nearest = find_nearest(str(written), _CHOICE.findall(problem.message))
        return f"did you mean {nearest!r}?" if nearest else schema
    return schema

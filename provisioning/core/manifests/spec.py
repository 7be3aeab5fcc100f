"""Reads and checks the `spec` of a manifest."""

from __future__ import annotations

from functools import partial

import msgspec

from provisioning.core.expressions.interpolation import Reference, find_templated, parse_text
from provisioning.core.manifests.diagnostics import locate_problems
from provisioning.core.manifests.validation import Review, name_type, suggest
from provisioning.core.model.errors import InvalidManifest
from provisioning.core.model.ids import ResourceId
from provisioning.core.model.kinds import Kind
from provisioning.core.model.resources import Templated
from provisioning.core.model.values import Tree, replace_at

_EACH_HINT = 'only a manifest with forEach: "{{config.values.KEY}}" knows each'


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """The checked spec, and what its interpolations ask for."""

    fields: dict[str, Tree]
    lines: dict[str, int]
    templated: tuple[Templated, ...]
    references: tuple[ResourceId, ...]


def read_spec(review: Review, tree: Tree, kind: Kind) -> Spec:
    """Check the spec of a resource of *kind*, and report what is wrong with it."""
    fields = dict(review.get_map(("spec",), tree))
    if "provider" in fields:
        _check_provider(review, fields.pop("provider"), kind)
    templated, references = _read_interpolations(review, fields)
    _check_fields(review, fields, templated, kind)
    return Spec(
        fields=fields,
        lines={key: review.document.get_line(("spec", key)) for key in fields},
        templated=templated,
        references=references,
    )


def _check_provider(review: Review, provider: Tree, kind: Kind) -> None:
    if not isinstance(provider, str):
        review.report(("spec", "provider"), f"must be text, not {name_type(provider)}")
    elif provider != kind.provider:
        review.report(
            ("spec", "provider"),
            f"{provider!r} does not provide {kind.name}",
            suggest(provider, [kind.provider]),
        )


def _read_interpolations(
    review: Review, fields: dict[str, Tree]
) -> tuple[tuple[Templated, ...], tuple[ResourceId, ...]]:
    templated: list[Templated] = []
    references: dict[ResourceId, None] = {}
    for path, text in find_templated(fields):
        here = ("spec", *path)
        templated.append(Templated(path, review.document.get_line(here)))
        try:
            parts = parse_text(text)
        except InvalidManifest as exc:
            is_each = "{{each." in text.replace(" ", "")
            review.report(here, exc.message, _EACH_HINT if is_each else exc.hint)
            continue
        named = (part.resource for part in parts if isinstance(part, Reference))
        references.update(dict.fromkeys(item for item in named if item))
    return tuple(templated), tuple(references)


def _check_fields(
    review: Review, fields: dict[str, Tree], templated: tuple[Templated, ...], kind: Kind
) -> None:
    asked = fields
    for path in kind.tree.find_computed(fields):
        asked = replace_at(asked, path[:-1], partial(_drop, path[-1]))
        review.report(("spec", *path), "is computed by the provider", "remove it")
    problems = kind.find_problems(asked, {item.path for item in templated})
    for located in locate_problems(problems, asked, kind) if problems else ():
        review.report(("spec", *located.path), located.message, located.hint)


def _drop(step: str | int, value: Tree) -> Tree:
    if isinstance(value, dict):
        return {name: item for name, item in value.items() if name != step}
    return [None if index == step else item for index, item in enumerate(value)]

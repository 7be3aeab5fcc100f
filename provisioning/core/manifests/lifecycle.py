"""Reads the `lifecycle` of a manifest."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import TypeVar

from provisioning.core.manifests.validation import Review, name_type, suggest
from provisioning.core.model.durations import SPAN_HINT, parse_span
from provisioning.core.model.errors import InvalidArgument
from provisioning.core.model.kinds import Kind
from provisioning.core.model.resources import Lifecycle, Timeouts
from provisioning.core.model.values import Tree, parse_field

_KEYS = ["protect", "drift", "onDelete", "ignoreFields", "createBeforeDelete", "timeouts"]
_DEFAULT = Lifecycle()
_FIELDS_HINT = "write ignoreFields: [FIELD], as in [mode]"

_Choice = TypeVar("_Choice", bound=StrEnum)


def read_lifecycle(review: Review, tree: dict[str, Tree], kind: Kind | None) -> Lifecycle:
    """Read how the resource may change, and report what is wrong with it."""
    lifecycle = review.get_map(("lifecycle",), tree.get("lifecycle"))
    if not lifecycle:
        return _DEFAULT
    review.refuse_unknown(("lifecycle",), lifecycle, _KEYS)
    return Lifecycle(
        protect=_read_flag(review, lifecycle, "protect") or False,
        drift=_read_choice(review, lifecycle, "drift", _DEFAULT.drift),
        on_delete=_read_choice(review, lifecycle, "onDelete", _DEFAULT.on_delete),
        ignore_fields=tuple(_read_ignored(review, lifecycle, kind)),
        create_before_delete=_read_order(review, lifecycle, kind),
        timeouts=_read_timeouts(review, lifecycle),
    )


def _read_flag(review: Review, lifecycle: dict[str, Tree], key: str) -> bool | None:
    flag = lifecycle.get(key)
    if flag is None or isinstance(flag, bool):
        return flag
    review.report(("lifecycle", key), f"must be true or false, not {name_type(flag)}")
    return None


def _read_choice(review: Review, lifecycle: dict[str, Tree], key: str, default: _Choice) -> _Choice:
    choices = {str(item): item for item in type(default)}
    written = lifecycle.get(key, str(default))
    if isinstance(written, str) and written in choices:
        return choices[written]
    names = ", ".join(choices)
    review.report(("lifecycle", key), f"must be one of {names}", suggest(written, choices))
    return default


def _read_ignored(review: Review, lifecycle: dict[str, Tree], kind: Kind | None) -> Iterator[str]:
    fields = lifecycle.get("ignoreFields")
    place = ("lifecycle", "ignoreFields")
    if fields is not None and not isinstance(fields, list):
        review.report(place, f"must be a list, not {name_type(fields)}", _FIELDS_HINT)
    if not isinstance(fields, list):
        return
    for index, field in enumerate(fields):
        if not isinstance(field, str):
            review.report((*place, index), f"must be text, not {name_type(field)}", _FIELDS_HINT)
            continue
        try:
            path = parse_field(field)
        except InvalidArgument as exc:
            review.report((*place, index), exc.message, exc.hint)
            continue
        known = _list_known(kind)
        if not path or (known and path[0] not in known):
            review.report((*place, index), f"there is no field {field!r}", suggest(field, known))
        elif kind and path[0] in kind.identity:
            review.report((*place, index), f"{field} says where the resource is", "leave it out")
        else:
            yield field.removeprefix(".").removeprefix("spec.")


def _list_known(kind: Kind | None) -> list[str]:
    return sorted({*kind.get_known_fields(), *kind.tree.keys}) if kind else []


def _read_order(review: Review, lifecycle: dict[str, Tree], kind: Kind | None) -> bool | None:
    order = _read_flag(review, lifecycle, "createBeforeDelete")
    if order and kind and not kind.create_before_delete:
        review.report(
            ("lifecycle", "createBeforeDelete"),
            f"a {kind.name} cannot stand beside the one that replaces it",
            "leave it out",
        )
        return None
    return order


def _read_timeouts(review: Review, lifecycle: dict[str, Tree]) -> Timeouts:
    place = ("lifecycle", "timeouts")
    written = review.get_map(place, lifecycle.get("timeouts"))
    review.refuse_unknown(place, written, ["create", "update", "delete"])
    found = {}
    for key in ("create", "update", "delete"):
        if written.get(key) is None:
            continue
        span = parse_span(str(written[key]))
        if span is None or not span.total:
            review.report((*place, key), "is no duration", SPAN_HINT)
            continue
        found[key] = span.total
    return Timeouts(**found)

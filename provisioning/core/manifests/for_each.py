"""`forEach` and `when`: the resources that a document stands for, as the settings say. Pure.

`{{each.key}}` and `{{each.value.…}}` are written in before anything else is read, so that they may
stand anywhere, also within another interpolation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from provisioning.core.expressions.interpolation import is_templated, parse_text
from provisioning.core.expressions.references import Lookup
from provisioning.core.formats.documents import ManifestDocument
from provisioning.core.manifests.validation import Review, name_type
from provisioning.core.model.errors import ProvisioningError
from provisioning.core.model.sensitive import has_secret
from provisioning.core.model.values import (
    Path,
    Tree,
    find_nearest,
    is_equal,
    read_at,
    render_canonical,
)

_EACH = re.compile(r"\{\{\{\{|\{\{\s*each\.(key|value(?:\.[^\s{}.]+)*)\s*\}\}")
_CONFIG = "write one {{config.values.KEY}}"
_WHEN = 'write when: "{{config.values.KEY}}", or {value: …, in: […]}'
_FOR_EACH, _WHEN_KEY = ("forEach",), ("when",)


class Instance(msgspec.Struct, frozen=True):
    """One resource that a document stands for, as a document under review of its own.

    `given` are the settings that decide whether it is there.
    """

    review: Review
    given: tuple[str, ...] = ()


def list_instances(review: Review, lookup: Lookup) -> Iterator[Instance]:
    """Yield what the document of *review* stands for, and report what is wrong with it.

    Args:
        review: The document; without `forEach` and `when` it stands for itself.
        lookup: Answers `config`.
    """
    tree = review.document.tree
    if not isinstance(tree, dict) or not tree.keys() & {"forEach", "when"}:
        yield Instance(review)
        return
    given = _Given(lookup)
    if "forEach" not in tree:
        if given.allows(review, tree):
            yield Instance(_strip(review, tree), given.names)
        return
    for key, value in sorted(given.list_entries(review, tree).items()):
        own = replace(review, entry=key)
        filled = _Filler(own, key, value).fill(tree)
        if given.allows(own, filled):
            yield Instance(_strip(own, filled), given.names)


def _strip(review: Review, tree: dict[str, Tree]) -> Review:
    plain = {name: item for name, item in tree.items() if name not in {"forEach", "when"}}
    document = review.document
    return replace(review, document=ManifestDocument(plain, document.line, document.lines))


@dataclass(slots=True)
class _Given:
    """Answers what `forEach` and `when` name; remembers what was asked."""

    lookup: Lookup
    names: tuple[str, ...] = ()

    def list_entries(self, review: Review, tree: dict[str, Tree]) -> dict[str, Tree]:
        name = read_at(tree, ("metadata", "name")) if _is_named(tree) else ""
        if "key" not in {match[1] for match in _EACH.finditer(str(name))}:
            review.report(
                ("metadata", "name"), "is the same for each entry", "write {{each.key}} into it"
            )
            return {}
        entries = self._resolve(review, _FOR_EACH, tree["forEach"])
        if entries is None or isinstance(entries, dict):
            return entries or {}
        review.report(
            _FOR_EACH,
            f"must be a map, not {name_type(entries)}",
            "the keys of a map name the resources, so that a new one renames no other",
        )
        return {}

    def allows(self, review: Review, tree: dict[str, Tree]) -> bool:
        condition = tree.get("when", True)
        if isinstance(condition, dict):
            return self._compares(review, condition)
        known = len(review.problems)
        value = self._resolve(review, _WHEN_KEY, condition)
        if isinstance(value, bool):
            return value
        if len(review.problems) == known:
            review.report(_WHEN_KEY, f"must be true or false, not {name_type(value)}", _WHEN)
        return False

    def _compares(self, review: Review, condition: dict[str, Tree]) -> bool:
        review.refuse_unknown(_WHEN_KEY, condition, ["value", "in", "notIn"])
        words = [word for word in ("in", "notIn") if isinstance(condition.get(word), list)]
        if "value" not in condition or len(words) != 1:
            review.report(_WHEN_KEY, "must have a value, and a list in or notIn", _WHEN)
            return False
        value = self._resolve(review, (*_WHEN_KEY, "value"), condition["value"])
        is_in = any(is_equal(value, item) for item in condition[words[0]])
        return is_in == (words[0] == "in")

    def _resolve(self, review: Review, place: Path, written: Tree) -> Tree:
        """Return *written*, or the setting that it names; nothing if that cannot be."""
        if not isinstance(written, str) or not is_templated(written):
            if place == _FOR_EACH:
                review.report(place, "must name a setting", _CONFIG)
                return None
            return written
        source = review.build_source(place)
        try:
            parts = parse_text(written, source)
            reference = parts[0]
            if len(parts) > 1 or isinstance(reference, str) or reference.namespace != "config":
                review.report(place, f"{written!r} is no setting", _CONFIG)
                return None
            self.names = tuple(dict.fromkeys((*self.names, str(reference))))
            value = self.lookup(reference, source)
        except ProvisioningError as exc:
            review.problems.append(exc)
            return None
        if has_secret(value):
            hint = "keep secrets out of it, and name them in the spec: {{secrets.FILE.KEY}}"
            review.report(place, f"{written} holds a secret", hint)
            return None
        return value


def _is_named(tree: dict[str, Tree]) -> bool:
    metadata = tree.get("metadata")
    return isinstance(metadata, dict) and "name" in metadata


class _Filler(msgspec.Struct, frozen=True):
    """Writes one entry of the map into the tree of a document."""

    review: Review
    key: str
    value: Tree

    def fill(self, tree: Tree, path: Path = ()) -> Tree:
        match tree:
            case str() if "each." in tree:
                return self._fill_text(tree, path)
            case dict():
                return {name: self.fill(item, (*path, name)) for name, item in tree.items()}
            case list():
                return [self.fill(item, (*path, index)) for index, item in enumerate(tree)]
        return tree

    def _fill_text(self, text: str, path: Path) -> Tree:
        whole = _EACH.fullmatch(text)
        if whole and whole[1]:
            return _escape(self._get(whole[1], path))
        return _EACH.sub(lambda match: self._write(match, path), text)

    def _write(self, match: re.Match[str], path: Path) -> str:
        if not match[1]:
            return match[0]
        value = self._get(match[1], path)
        if isinstance(value, str):
            return str(_escape(value))
        if isinstance(value, dict | list):
            hint = "name one of its fields, or let it stand alone in the string"
            self.review.report(path, f"{match[0]} is {name_type(value)} within a text", hint)
            return ""
        return render_canonical(value).decode()

    def _get(self, name: str, path: Path) -> Tree:
        if name == "key":
            return self.key
        _, *steps = name.split(".")
        found = self.value
        for step in steps:
            if not isinstance(found, dict) or step not in found:
                known = list(found) if isinstance(found, dict) else []
                nearest = find_nearest(step, known)
                hint = f"did you mean {nearest!r}?" if nearest else f"it has: {', '.join(known)}"
                self.review.report(path, f"{{{{each.{name}}}}} has no value", hint)
                return None
            found = found[step]
        return found


def _escape(value: Tree) -> Tree:
    """Return *value* so that it comes out as it is when its texts are read for interpolations."""
    match value:
        case str():
            return value.replace("{{", "{{{{")
        case dict():
            return {name: _escape(item) for name, item in value.items()}
        case list():
            return [_escape(item) for item in value]
    return value

"""Gathers what is wrong with a document, so that one look tells the author everything."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

import msgspec

from provisioning.core.formats.documents import ManifestDocument
from provisioning.core.model.errors import InvalidManifest, ProvisioningError, Source
from provisioning.core.model.values import Path, Tree, find_nearest, render_path

_TYPES = {
    type(None): "nothing",
    bool: "a boolean",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "a map",
}


class Review(msgspec.Struct, frozen=True, dict=True):
    """A document under review; what is wrong is added to `problems`, once for each place.

    `entry` is the key of `forEach` that it stands for, "" if it stands for itself.
    """

    document: ManifestDocument
    file: str
    problems: list[ProvisioningError]
    entry: str = ""

    @cached_property
    def _reported(self) -> set[Path]:
        return set()

    def build_source(self, path: Path = ()) -> Source:
        """Return the place of *path*."""
        return Source(self.file, self.document.get_line(path))

    def report(self, path: Path, message: str, hint: str | None = None) -> None:
        """Note that something is wrong at *path*, unless it is known for it or a place above."""
        if any(path[:length] in self._reported for length in range(1, len(path) + 1)):
            return
        self._reported.add(path)
        text = f"{render_path(path)}: {message}" if path else message
        text += f" (for {self.entry!r})" if self.entry else ""
        self.problems.append(InvalidManifest(text, hint=hint, source=self.build_source(path)))

    def get_map(self, path: Path, value: Tree) -> dict[str, Tree]:
        """Return *value* if it is a map; nothing counts as an empty one, and all else is wrong."""
        if value is not None and not isinstance(value, dict):
            self.report(path, f"must be a map, not {name_type(value)}")
        return value if isinstance(value, dict) else {}

    def refuse_unknown(self, path: Path, tree: Iterable[str], known: list[str]) -> None:
        """Report every key of *tree* that is not *known*."""
        for key in tree:
            if key not in known:
                self.report((*path, key), "there is no such key", suggest(key, known))


def suggest(word: Tree, known: Iterable[str]) -> str:
    """Return a hint: the one of *known* that *word* is a slip of, or else all of them."""
    names = sorted(known)
    nearest = find_nearest(word, names) if isinstance(word, str) else None
    return f"did you mean {nearest!r}?" if nearest else f"known: {', '.join(names)}"


def name_type(value: Tree) -> str:
    """Say in plain words what *value* is, without telling the value itself."""
    return _TYPES.get(type(value), "something else")

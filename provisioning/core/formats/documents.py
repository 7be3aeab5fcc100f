"""The result of parsing any manifest format: a tree, with the line of each place in it."""

from __future__ import annotations

import msgspec

from provisioning.core.model.values import Path, Tree, read_at

MAX_DEPTH = 100
"""The deepest nesting of maps and lists."""

TOO_DEEP = f"maps and lists are nested more than {MAX_DEPTH} deep"
DEPTH_HINT = "write it flatter, or as several resources that refer to each other"


class ManifestDocument(msgspec.Struct, frozen=True):
    """One document of a manifest file.

    Args:
        tree: Its plain tree; the root may be anything.
        line: Its first line, counted from 1.
        lines: The line of each key and list entry, as far as the format's parser knows it.
    """

    tree: Tree
    line: int
    lines: dict[Path, int]

    def get_line(self, path: Path) -> int:
        """Return the line of the nearest known place at or above *path*."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return self.line


def has_place(tree: Tree, path: Path) -> bool:
    """Tell whether there is a value at *path* in *tree*."""
    try:
        read_at(tree, path)
    except KeyError:
        return False
    return True


def split_list(trees: list[Tree], lines: dict[Path, int]) -> list[ManifestDocument]:
    """Make a document of each entry of a list; *lines* are those of the list."""
    below: list[dict[Path, int]] = [{} for _ in trees]
    for path, line in lines.items():
        if path:
            below[int(path[0])][path[1:]] = line
    begin = lines.get((), 1)
    return [
        ManifestDocument(tree, own.pop((), begin), own)
        for tree, own in zip(trees, below, strict=True)
    ]

"""What every manifest format is parsed into: a plain tree, with the line of each place in it."""

from __future__ import annotations

from dataclasses import dataclass

from provisioning.core.values import Path, Tree


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a manifest file.

    Args:
        tree: Its plain tree; the root may be anything.
        line: Where it begins, counted from 1.
        lines: The line of each key and list entry. Formats whose parser tells no lines
            (TOML, JSON) fill in what they know.
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

"""What became of the mutants, as a page."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from explained import explain
from mutants import Mutant


@dataclass
class Tally:
    """What became of a module's mutants."""

    module: str
    known: int
    tried: int = 0
    survivors: list[Mutant] = field(default_factory=list)

    @property
    def title(self) -> str:
        return get_title(self.module)

    @property
    def rate(self) -> float:
        return 1 - len(self.survivors) / self.tried if self.tried else 1.0

    @property
    def lines(self) -> list[str]:
        """Its row of the table, then what is said of each survivor."""
        row = f"| {self.title} | {self.known} | {self.tried} | {self.rate:.0%} |"
        return [
            row,
            *(f"- {self.title}: {each.name}. {self._explain(each)}" for each in self.survivors),
        ]

    def _explain(self, mutant: Mutant) -> str:
        return explain(self.module, mutant.name)


def get_title(module: str) -> str:
    """Return how the page names *module*."""
    return f"`core/{module.replace('.', '/')}.py`"


INTRODUCTION = """# Mutation testing

`make mutate MUTANTS={count}` writes this page. A mutant is a module of the core with one small
change: a comparison, a condition, a constant, a result, or an omitted statement. The tests of the
module run against the mutant until one fails. Seed {seed} selected {count} mutants of each module.
"""

PAGE = """{introduction}
| Module | Mutants | Tried | Detected |
| --- | --- | --- | --- |
{rows}

## Undetected mutants

{survivors}
"""


def write_page(
    path: Path, tallies: Iterable[Tally], modules: Iterable[str], count: int, seed: int
) -> None:
    """Write what was found, in the order of *modules*.

    What the page says of others stays, if it tells of as many mutants of the same seed.
    """
    introduction = INTRODUCTION.format(count=count, seed=seed)
    known = _read_lines(path, introduction) | {each.title: each.lines for each in tallies}
    found = [known[title] for title in map(get_title, modules) if title in known]
    rows = "\n".join(row for row, *_ in found)
    survivors = "\n".join(line for _, *lines in found for line in lines) or "Nothing."
    text = PAGE.format(introduction=introduction, rows=rows, survivors=survivors)
    path.write_text(text, encoding="utf-8")


def _read_lines(path: Path, introduction: str) -> dict[str, list[str]]:
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    found: dict[str, list[str]] = {}
    if text.startswith(introduction):
        for line in re.finditer(r"^[|-] (`core/\S+`).*$", text, re.MULTILINE):
            found.setdefault(line[1], []).append(line[0])
    return found

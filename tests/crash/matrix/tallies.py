"""What became of a scenario."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from cutting import Cut

CUTS = (Cut.BEFORE, Cut.AFTER, Cut.LOST, Cut.FULL)
HOMES = ("same", "empty")


@dataclass(slots=True)
class Tally:
    """One scenario: its effects, how often each kind of cut was tried, and the wrong worlds."""

    scenario: str
    effects: tuple[str, ...]
    tried: Counter[tuple[Cut, str]] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)

"""`CODEOWNERS` as Gitea reads it: who must approve changes of which paths.

Each line is a regular expression that must match a whole path, and `@user` or `@organisation/team`
names; `!` before it negates it, `#` begins a comment. See "Code owners" of Gitea's usage guide.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

PATHS = ("CODEOWNERS", "docs/CODEOWNERS", ".gitea/CODEOWNERS")
"""The paths of the file; the first that exists counts."""

_MAX_PATTERN = 200


class OwnerRule(msgspec.Struct, frozen=True):
    """The owners of the paths that *pattern* matches, or does not match if *negated*."""

    pattern: re.Pattern[str]
    negated: bool
    owners: frozenset[str]


def parse_codeowners(text: str) -> tuple[OwnerRule, ...]:
    """Parse the file; invalid lines are skipped, as Gitea skips them."""
    return tuple(_parse_lines(text))


def _parse_lines(text: str) -> Iterator[OwnerRule]:
    for line in text.splitlines():
        words = line.partition(" #")[0].split()
        if not words or words[0].startswith("#") or len(words[0]) > _MAX_PATTERN:
            continue
        negated = words[0].startswith("!")
        owners = frozenset(word[1:] for word in words[1:] if word.startswith("@"))
        try:
            pattern = re.compile(words[0].removeprefix("!"))
        except re.error:
            continue
        if owners:
            yield OwnerRule(pattern, negated, owners)


def find_owners(rules: Iterable[OwnerRule], paths: Iterable[str]) -> frozenset[str]:
    """Return the owners of any of *paths*."""
    names = list(paths)
    return frozenset(
        owner
        for rule in rules
        if any(bool(rule.pattern.fullmatch(path)) is not rule.negated for path in names)
        for owner in rule.owners
    )

"""`CODEOWNERS` as Gitea reads it: which people must say yes to which paths.

Each line is a regular expression that must match a whole path, and `@user` or `@organisation/team`
names; `!` before it turns it round, `#` begins a comment. See "Code owners" of Gitea's usage guide.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

PLACES = ("CODEOWNERS", "docs/CODEOWNERS", ".gitea/CODEOWNERS")
"""Where the file may be; the first that exists counts."""

_LONGEST = 200


class OwnerRule(msgspec.Struct, frozen=True):
    """The people who own what *pattern* matches, or does not if *negated*."""

    pattern: re.Pattern[str]
    negated: bool
    owners: frozenset[str]


def parse_codeowners(text: str) -> tuple[OwnerRule, ...]:
    """Read the file; a line that is no rule is left out, as Gitea leaves it out."""
    return tuple(_parse_lines(text))


def _parse_lines(text: str) -> Iterator[OwnerRule]:
    for line in text.splitlines():
        words = line.partition(" #")[0].split()
        if not words or words[0].startswith("#") or len(words[0]) > _LONGEST:
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
    """Return who owns any of *paths*; empty means that nobody in particular does."""
    names = list(paths)
    return frozenset(
        owner
        for rule in rules
        if any(bool(rule.pattern.fullmatch(path)) is not rule.negated for path in names)
        for owner in rule.owners
    )

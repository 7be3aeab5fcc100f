r"""`CODEOWNERS` as Gitea reads it: who must approve changes of which paths.

Each line is a regular expression that must match a whole path, and the names of users and of teams
as `organisation/team`, with `@` before them or not. `!` before the expression negates it, `#`
begins a comment, and a backslash takes the next character as it is. See "Code owners" of Gitea's
usage guide, and `TokenizeCodeOwnersLine` of its source. Unlike Gitea this reader skips no line that
it cannot read: a line that says less than its author meant would let everybody in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from provisioning.core.reviews.markdown import render_code

PATHS = ("CODEOWNERS", "docs/CODEOWNERS", ".gitea/CODEOWNERS")
"""The paths of the file; the first that exists counts."""

_MAX_PATTERN = 200
_SHOWN = 3


class OwnerRule(msgspec.Struct, frozen=True):
    """The owners of the paths that *pattern* matches, or does not match if *negated*."""

    pattern: re.Pattern[str]
    negated: bool
    owners: frozenset[str]

    def covers(self, path: str) -> bool:
        """Return whether the rule is about *path*."""
        return bool(self.pattern.search(path)) is not self.negated


class CodeOwners(msgspec.Struct, frozen=True):
    """The rules of the file, and the numbers of the lines that cannot be read."""

    rules: tuple[OwnerRule, ...] = ()
    unreadable: tuple[int, ...] = ()

    def find_owners(self, path: str) -> frozenset[str]:
        """Return the owners of *path*, in small letters."""
        return frozenset(owner for rule in self.rules if rule.covers(path) for owner in rule.owners)

    def find_refusal(self, by: str, paths: Iterable[str]) -> str:
        """Return why *by* does not own all of *paths*; "" if they do.

        A path that the file names nobody for has no owner, and needs none.
        """
        if self.unreadable:
            lines = ", ".join(map(str, self.unreadable[:_SHOWN]))
            return f"CODEOWNERS cannot be read at line {lines}, and so names no owner"
        for path in sorted(set(paths)):
            owners = self.find_owners(path)
            people = {owner for owner in owners if "/" not in owner}
            if owners and not people:
                shown = render_code(path)
                return f"CODEOWNERS names only teams for {shown}, whose members are unknown here"
            if people and by.lower() not in people:
                names = ", ".join(render_code(item) for item in sorted(people))
                return f"CODEOWNERS names {names} for {render_code(path)}"
        return ""


def parse_codeowners(text: str) -> CodeOwners:
    """Parse the file."""
    rules: list[OwnerRule] = []
    unreadable: list[int] = []
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        words = list(_split(line))
        if words:
            rule = _parse(words)
            rules += [rule] if rule else []
            unreadable += [] if rule else [number]
    return CodeOwners(tuple(rules), tuple(unreadable))


def _split(line: str) -> Iterator[str]:
    word, is_escaped = "", False
    for letter in line.strip(" \t"):
        if is_escaped:
            word, is_escaped = word + letter, False
        elif letter == "\\":
            is_escaped = True
        elif letter == "#":
            break
        elif letter in " \t":
            yield from filter(None, [word])
            word = ""
        else:
            word += letter
    yield from filter(None, [word])


def _parse(words: list[str]) -> OwnerRule | None:
    expression, *names = words
    negated = expression.startswith("!")
    body = expression.removeprefix("!").removeprefix("/")
    owners = frozenset(name.removeprefix("@").lower() for name in names)
    if not owners or len(body) > _MAX_PATTERN:
        return None
    try:
        # Without a group, as Gitea compiles it: `a|b` is anchored at its two ends only.
        pattern = re.compile(rf"^{body}\Z")
    except (re.error, OverflowError, RecursionError):
        return None
    return OwnerRule(pattern, negated, owners)

"""The commands that people write into a pull request: a closed grammar.

A command is a line `/provisioning VERB [INFRA]`, by itself. Everything else of a comment is talk.
"""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

from provisioning.core.model.ids import NAME
from provisioning.core.model.values import find_nearest

WORD = "/provisioning"

MOST = 5
"""Commands that one comment may hold."""

_QUOTE = re.compile(r"^(```|~~~)")


class Verb(StrEnum):
    """What may be asked for."""

    PLAN = "plan"
    APPLY = "apply"
    APPROVE = "approve"
    HOLD = "hold"
    UNLOCK = "unlock"
    HELP = "help"


MEANINGS = {
    Verb.PLAN: "plan again; of somebody untrusted, plan this very commit in full",
    Verb.APPLY: "apply what was reviewed",
    Verb.APPROVE: "say yes to the plan that is shown, where it is not the reviewed one",
    Verb.HOLD: "hold the lock, so that nothing is applied",
    Verb.UNLOCK: "release a hold",
    Verb.HELP: "show this",
}
"""What each verb does, for `help`."""


class Command(msgspec.Struct, frozen=True):
    """A command that can be carried out; *infra* is None for all of the pull request."""

    verb: Verb
    infra: str | None = None


class Misread(msgspec.Struct, frozen=True):
    """A line that looks like a command and is none, and what was probably meant."""

    reason: str


def parse_commands(body: str) -> tuple[Command | Misread, ...]:
    """Return the commands of a comment, in order; none if it is only talk.

    Lines that are quoted, or in a block of code, are not read.
    """
    lines = [
        words for line in _list_spoken(body) if (words := line.split()) and _is_addressed(words[0])
    ]
    if len(lines) > MOST:
        return (Misread(f"a comment may hold {MOST} commands, and this one has {len(lines)}"),)
    return tuple(_parse(words[1:]) for words in lines)


def _list_spoken(body: str) -> list[str]:
    spoken, in_code = [], False
    for line in body.splitlines():
        if _QUOTE.match(line.strip()):
            in_code = not in_code
        elif not in_code and not line.startswith((">", "    ", "\t")):
            spoken.append(line.strip())
    return spoken


def _is_addressed(word: str) -> bool:
    return word.lower() == WORD


def _parse(words: list[str]) -> Command | Misread:
    if not words:
        return Command(Verb.HELP)
    name, *rest = words
    if name.lower() not in set(Verb):
        nearest = find_nearest(name.lower()[:40], [str(item) for item in Verb])
        meant = f"did you mean `{WORD} {nearest}`?" if nearest else f"see `{WORD} {Verb.HELP}`"
        return Misread(f"there is no such command; {meant}")
    verb = Verb(name.lower())
    if not rest:
        return Command(verb)
    if len(rest) > 1 or not NAME.match(rest[0]):
        return Misread(f"`{WORD} {verb}` takes the name of one infra, or nothing")
    return Command(verb, rest[0])

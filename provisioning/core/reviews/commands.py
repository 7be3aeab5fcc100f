"""The commands that people write into the comments of a pull request.

A command is a line `/provisioning VERB [INFRA]`, by itself. Other lines mean nothing.
"""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

from provisioning.core.model.ids import NAME
from provisioning.core.model.values import find_nearest

PREFIX = "/provisioning"

MAX_COMMANDS = 5
"""Commands that one comment may hold."""

_QUOTE = re.compile(r"^(```|~~~)")


class Verb(StrEnum):
    """The command."""

    PLAN = "plan"
    APPLY = "apply"
    APPROVE = "approve"
    HOLD = "hold"
    UNLOCK = "unlock"
    HELP = "help"


HELP_TEXTS = {
    Verb.PLAN: "plan again; plan this commit of an untrusted author in full",
    Verb.APPLY: "apply the reviewed plan",
    Verb.APPROVE: "approve the plan that is shown, where it is not the reviewed one",
    Verb.HOLD: "hold the lock, so that nothing is applied",
    Verb.UNLOCK: "release a hold",
    Verb.HELP: "list the commands",
}
"""The help text of each verb."""


class Command(msgspec.Struct, frozen=True):
    """One command; *infra* is None for all infras of the pull request."""

    verb: Verb
    infra: str | None = None


class InvalidCommand(msgspec.Struct, frozen=True):
    """A line that is addressed to this program and is no valid command."""

    reason: str


def parse_commands(body: str) -> tuple[Command | InvalidCommand, ...]:
    """Return the commands of a comment, in order.

    Lines that are quoted, or in a block of code, are not read.
    """
    lines = [
        words
        for line in _list_lines(body)
        if (words := line.split()) and words[0].lower() == PREFIX
    ]
    if len(lines) > MAX_COMMANDS:
        return (InvalidCommand(f"a comment may have {MAX_COMMANDS} commands, not {len(lines)}"),)
    return tuple(_parse(words[1:]) for words in lines)


def _list_lines(body: str) -> list[str]:
    found, in_code = [], False
    for line in body.splitlines():
        if _QUOTE.match(line.strip()):
            in_code = not in_code
        elif not in_code and not line.startswith((">", "    ", "\t")):
            found.append(line.strip())
    return found


def _parse(words: list[str]) -> Command | InvalidCommand:
    if not words:
        return Command(Verb.HELP)
    name, *rest = words
    if name.lower() not in set(Verb):
        nearest = find_nearest(name.lower()[:40], [str(item) for item in Verb])
        meant = f"did you mean `{PREFIX} {nearest}`?" if nearest else f"see `{PREFIX} {Verb.HELP}`"
        return InvalidCommand(f"there is no such command; {meant}")
    verb = Verb(name.lower())
    if not rest:
        return Command(verb)
    if len(rest) > 1 or not NAME.match(rest[0]):
        return InvalidCommand(f"`{PREFIX} {verb}` takes the name of one infra, or none")
    return Command(verb, rest[0])

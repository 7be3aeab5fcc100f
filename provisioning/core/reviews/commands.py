"""The commands that people write into the comments of a pull request.

A command is a line `/provisioning VERB [INFRA]`, by itself. Other lines mean nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from provisioning.core.model.ids import NAME
from provisioning.core.model.values import find_nearest

if TYPE_CHECKING:
    from markdown_it.token import Token

PREFIX = "/provisioning"

MAX_COMMANDS = 5
"""Commands that one comment may hold."""

MAX_LENGTH = 65_536
"""Characters of a comment that may hold commands."""

_LONE_CR = re.compile(r"\r(?!\n)")


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

    A command is a line of a paragraph as CommonMark 0.31 reads it: nothing in a quotation, a list,
    code, HTML or a comment of HTML is one. Lines end at LF or CRLF.
    """
    if PREFIX not in body.lower() or len(body) > MAX_LENGTH:
        return ()
    lines = [
        words
        for line in _list_lines(_LONE_CR.sub("\N{REPLACEMENT CHARACTER}", body))
        if (words := line.replace("\t", " ").split(" ")) and words[0].lower() == PREFIX
    ]
    if len(lines) > MAX_COMMANDS:
        return (InvalidCommand(f"a comment may have {MAX_COMMANDS} commands, not {len(lines)}"),)
    return tuple(_parse([word for word in words[1:] if word]) for words in lines)


def _list_lines(body: str) -> Iterator[str]:
    """Yield the lines of the paragraphs of *body* that are text and nothing else."""
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark").parse(body)
    for opening, inline in pairwise(tokens):
        if opening.type == "paragraph_open" and opening.level == 0:
            yield from _split_lines(inline.children or ())


def _split_lines(tokens: Iterable[Token]) -> Iterator[str]:
    line: list[Token] = []
    for token in tokens:
        if token.type in {"softbreak", "hardbreak"}:
            yield from _join_text(line)
            line = []
        else:
            line.append(token)
    yield from _join_text(line)


def _join_text(line: Sequence[Token]) -> Iterator[str]:
    if all(token.type == "text" for token in line):
        yield "".join(token.content for token in line)


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

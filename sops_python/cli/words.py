"""Reads the words of a command line as `sops` does, whose options are those of Go's `flag`.

An option has one dash or two, a switch may have a value (`--in-place=false`), and a
command's options may stand behind its files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click
import msgspec

from sops_python.errors import SopsError

NO_FILE = 100
"""The exit code if no file was named."""

_BOOLEANS = dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True) | dict.fromkeys(
    ("0", "f", "F", "FALSE", "false", "False"), False
)


class SopsCommand(click.Command):
    """A command whose options are read as `sops` reads them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options, wherever they stand."""
        words: list[str] = []
        options: list[str] = []
        for word in read_words(self.get_params(ctx), args):
            is_option = word.is_known or (word.has_dash and not words)
            (options if is_option else words).append(word.text)
        return super().parse_args(ctx, [*filter(None, options), "--", *words])


class Word(msgspec.Struct, frozen=True):
    """One word in the form that click knows, with the value of an option.

    Args:
        text: The word; "" for a switch that is off.
        end: How many of the arguments there are up to here.
        is_known: It is an option of the command.
        has_dash: It looks like an option.
    """

    text: str
    end: int
    is_known: bool = False
    has_dash: bool = False


def read_leading(parameters: Sequence[click.Parameter], args: Sequence[str]) -> list[str]:
    """Return *args* in the form that click knows, up to the first word that is no option."""
    options: list[str] = []
    end = 0
    for word in read_words(parameters, args):
        if not word.is_known:
            break
        options.append(word.text)
        end = word.end
    return [*filter(None, options), *args[end:]]


def read_words(parameters: Sequence[click.Parameter], args: Sequence[str]) -> Iterator[Word]:
    """Yield the words of *args*; behind `--` none is an option.

    Raises:
        SopsError: If a switch has a value that is neither true nor false.
    """
    known = _name_options(parameters)
    left = iter(enumerate(args, 1))
    for end, word in left:
        if word == "--":
            yield from (Word(item, place) for place, item in left)
            return
        option, has_value = _find(known, word)
        if option is None:
            yield Word(word, end, has_dash=word.startswith("-") and word != "-")
        elif option.is_flag:
            yield Word(_read_switch(option, word, has_value=has_value), end, is_known=True)
        else:
            name = max(option.opts, key=len)
            last, value = (end, word.partition("=")[2]) if has_value else next(left, (end, None))
            yield Word(name if value is None else f"{name}={value}", last, is_known=True)


def _name_options(parameters: Sequence[click.Parameter]) -> dict[str, click.Option]:
    return {
        name.lstrip("-"): parameter
        for parameter in parameters
        if isinstance(parameter, click.Option)
        for name in parameter.opts
    }


def _find(known: dict[str, click.Option], word: str) -> tuple[click.Option | None, bool]:
    """Return the option that *word* is, and whether its value stands in it, too."""
    if not word.startswith("-"):
        return None, False
    name, mark, _ = word.removeprefix("-").removeprefix("-").partition("=")
    return known.get(name), bool(mark)


def _read_switch(option: click.Option, word: str, *, has_value: bool) -> str:
    """Return the word by which click knows that the switch is on, or off."""
    name, _, value = word.partition("=")
    if has_value and value not in _BOOLEANS:
        raise SopsError(
            f"invalid boolean value {value!r} for {name}", hint=f"write {name} or {name}=false"
        )
    if not has_value or _BOOLEANS[value]:
        return max(option.opts, key=len)
    return option.secondary_opts[0] if option.secondary_opts else ""


# Words besides the options


def take_first(_: click.Context, __: click.Parameter, words: tuple[str, ...]) -> str:
    """Return the first of *words*, which is a file.

    Raises:
        SopsError: If there is none.
    """
    if not words:
        raise SopsError("Error: no file specified", hint="name a file", exit_code=NO_FILE)
    warn_of_more(words)
    return words[0]


def take_first_if_any(_: click.Context, __: click.Parameter, words: tuple[str, ...]) -> str | None:
    """Return the first of *words*; None stands for the standard input."""
    warn_of_more(words)
    return words[0] if words else None


def warn_of_more(words: Sequence[str]) -> None:
    """Warn that only the first of *words* is used."""
    if len(words) > 1:
        click.echo(
            "More than one positional argument provided. Only the first one will be used!", err=True
        )


def take_exactly(count: int, missing: str, exit_code: int = 1) -> Any:
    """Return what refuses any other number of words than *count*, and says what is *missing*."""

    def take(_: click.Context, __: click.Parameter, words: tuple[str, ...]) -> tuple[str, ...]:
        if len(words) != count:
            raise SopsError(missing, hint="`sops COMMAND --help`", exit_code=exit_code)
        return words

    return take

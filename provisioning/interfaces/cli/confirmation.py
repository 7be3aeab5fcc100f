"""Asks before something is done that was shown, if there is a terminal to ask at."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

from provisioning.core.model.errors import InvalidArgument


def check_terminal(*, asks: bool, hint: str) -> None:
    """Make sure, before anything is read, that there is a terminal if the command asks.

    Raises:
        InvalidArgument: If there is none.
    """
    if asks and not sys.stdin.isatty():
        raise InvalidArgument("no terminal to ask at", hint=hint)


def build_confirm(*, yes: bool, command: str) -> Callable[[str], None]:
    """Return the function that asks, and raises unless the user approves or passed `--yes`.

    It raises `InvalidArgument` if there is no terminal to ask at.
    """

    def confirm(question: str) -> None:
        if yes:
            return
        if not sys.stdin.isatty():
            raise InvalidArgument(
                "nothing was done: no terminal to ask at",
                hint=f"to do it without being asked: `provisioning {command} … --yes`",
            )
        click.confirm(f"\n{question}", abort=True)

    return confirm

"""Asks before something is done that was shown."""

from __future__ import annotations

import sys

import click

from provisioning.core.model.errors import InvalidArgument


def confirm(question: str, *, yes: bool, command: str) -> None:
    """Go on only if the user says yes, or has said so by `--yes`.

    Raises:
        InvalidArgument: If there is no terminal to ask at.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise InvalidArgument(
            "nothing was done: without a terminal nobody can say yes",
            hint=f"if that is what you want: `provisioning {command} … --yes`",
        )
    click.confirm(f"\n{question}", abort=True)

"""Arguments and options that several commands have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

infra_argument = click.argument("infra", required=False)
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
allow_option = click.option(
    "--allow", multiple=True, metavar="GATE", help="Pass this gate once. Repeatable."
)


def target_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--target` and `--exclude`."""
    for name, text in (
        ("--exclude", "Leave out this resource and its dependents."),
        ("--target", "Only this resource and its dependencies."),
    ):
        option = click.option(
            name, multiple=True, metavar="ID", help=f"{text} Repeatable; * and ? match."
        )
        function = option(function)
    return function


class Duration(click.ParamType[float]):
    """A number of seconds, minutes, hours or days: `90s`, `45m`, `3h`, `2d`."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds."""
        from provisioning.core.model.durations import SPAN_HINT, parse_span

        if isinstance(value, float):
            return value
        span = parse_span(str(value))
        if span is None:
            self.fail(f"{value!r} is not a duration; {SPAN_HINT}", param, ctx)
        return span.total


def split_names(names: Sequence[str]) -> tuple[str | None, tuple[str, ...]]:
    """Split the names into the infra, if they begin with one, and the rest."""
    if names and "/" not in names[0] and not names[0].startswith("."):
        return names[0], tuple(names[1:])
    return None, tuple(names)


def split_run(names: Sequence[str]) -> tuple[str | None, str]:
    """Split `[INFRA] RUN` into the infra, if there is one, and the run.

    Raises:
        InvalidArgument: If there are more names.
    """
    if len(names) not in {1, 2}:
        from provisioning.core.model.errors import InvalidArgument

        raise InvalidArgument(
            f"{len(names)} names were given", hint="at most an infra and one more"
        )
    return (names[0] if len(names) > 1 else None), names[-1]

"""A group whose commands load when they are called, so that `--help` costs nothing."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from provisioning.config.entry_points import EntryPoint


class LazyGroup(click.Group):
    """A group that imports a command only when it is run.

    Packages that the operator installed add commands by entry points of the group
    `provisioning.commands`, each a `click.Command`; a command of ours is never replaced.

    `help X` and `X help` both mean `X --help`, and an unknown command is answered with the
    nearest known one.
    """

    def __init__(
        self,
        *,
        commands_table: Mapping[str, tuple[str, str]],
        entry_points: str = "",
        **attributes: object,
    ) -> None:
        super().__init__(**attributes)  # type: ignore[arg-type]
        self._table, self._group = commands_table, entry_points

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return [*self._table, *super().list_commands(ctx), *self._list_installed()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one command; None if there is none of that name."""
        entry = self._table.get(cmd_name)
        if entry is None:
            point = self._list_installed().get(cmd_name)
            return point.load(click.Command) if point else super().get_command(ctx, cmd_name)
        module, _, name = entry[0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def _list_installed(self) -> dict[str, EntryPoint]:
        if not self._group:
            return {}
        from provisioning.config.entry_points import list_entry_points

        return {it.name: it for it in list_entry_points(self._group) if it.name not in self._table}

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands from the table, without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in self._table.items()])
        if installed := self._list_installed():
            with formatter.section("Commands of installed packages"):
                formatter.write_dl([(name, it.package) for name, it in installed.items()])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read `help X` and `X help` as `X --help`."""
        if args and args[0] == "help":
            args = [*args[1:], "--help"]
        elif len(args) > 1 and args[-1] == "help":
            args = [*args[:-1], "--help"]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which was probably meant."""
        name = args[0] if args else ""
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            from provisioning.core.model.values import find_nearest

            nearest = find_nearest(name, list(self.list_commands(ctx)))
            hint = f"did you mean {nearest!r}?" if nearest else "`provisioning help` lists them"
            ctx.fail(f"no command {name!r}; {hint}")
        return super().resolve_command(ctx, args)

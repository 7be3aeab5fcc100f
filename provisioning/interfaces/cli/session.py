"""The part that commands share: the workspace they run in, and how they ask and print."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click

from provisioning.core.model.terminal_text import render_styled
from provisioning.interfaces.cli.wiring import Wiring

if TYPE_CHECKING:
    from provisioning.application.context import Notice, UseCaseRequest
    from provisioning.application.workspace.workspace import Workspace
    from provisioning.reconciler.execution.cancellation import Cancellation

Function = TypeVar("Function", bound=Callable[..., Any])
Result = TypeVar("Result")


@dataclass(slots=True)
class Session:
    """The folder and the flags that stand before the command."""

    folder: str
    flags: tuple[str, ...]
    wiring: Wiring
    _workspace: Workspace | None = field(default=None, repr=False)

    def open_workspace(self) -> Workspace:
        """Return the workspace at or above the folder.

        Raises:
            WorkspaceNotFound: If there is none.
        """
        if self._workspace is None:
            self._workspace = self.wiring.open_workspace(self.folder, self.flags)
            click.get_current_context().find_root().call_on_close(self._workspace.shared.close)
            redact = self._workspace.redactor.redact
            sys.stdout, sys.stderr = (
                _RedactedStream(sys.stdout, redact),
                _RedactedStream(sys.stderr, redact),
            )
        return self._workspace

    def call(
        self,
        request: UseCaseRequest[Result],
        *,
        notify: Callable[[Notice], None] | None = None,
        confirm: Callable[[str], None] | None = None,
        stop: Cancellation | None = None,
    ) -> Result:
        """Call the operation that *request* asks for."""
        from provisioning.application.context import Caller, Context, ignore, refuse
        from provisioning.application.operations import call
        from provisioning.locks.holders import read_user

        context = Context(
            caller=Caller(user=read_user(), interface="cli"),
            open_workspace=self.open_workspace,
            list_kinds=self.wiring.list_kinds,
            notify=notify or ignore,
            confirm=confirm or refuse,
            stop=stop,
        )
        return call(request, context)

    def act(
        self,
        request: UseCaseRequest[Result],
        output: str,
        command: str,
        *,
        yes: bool = False,
        stop: Cancellation | None = None,
    ) -> Result:
        """Call the operation, show its notices, and ask before it changes something.

        Raises:
            InvalidArgument: If there is no terminal to ask at, and *yes* is false.
        """
        from provisioning.interfaces.cli.confirmation import build_confirm
        from provisioning.interfaces.cli.render.notices import NoticePrinter

        notify = NoticePrinter(as_text=output == "text")
        confirm = build_confirm(yes=yes, command=command)
        return self.call(request, notify=notify, confirm=confirm, stop=stop)


class _RedactedStream:
    """A text stream that writes no secret, and nothing that moves the cursor or hides text.

    It has no way around that, such as `buffer`.
    """

    def __init__(self, stream: TextIO, redact: Callable[[str], str]) -> None:
        self._stream, self._redact = stream, redact
        self.encoding, self.errors = stream.encoding, stream.errors
        self.flush, self.isatty, self.fileno = stream.flush, stream.isatty, stream.fileno
        self.close = stream.close

    @property
    def closed(self) -> bool:
        return self._stream.closed

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        shown = render_styled(self._redact(text))
        try:
            self._stream.write(shown)
        except UnicodeEncodeError:
            encoded = shown.encode(self.encoding, "backslashreplace")
            self._stream.write(encoded.decode(self.encoding))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)


_NEVER_FOLD = 2**31 - 1
"""A line's width; a text that was folded could not be redacted."""

pass_session = click.make_pass_decorator(Session)


def output_option(function: Function) -> Function:
    """Add `-o text|json|yaml`."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(["text", "json", "yaml"]),
        default="text",
        help="How to print; JSON and YAML have stable shapes.",
    )(function)


def print_shape(shape: object, output: str) -> int:
    """Print *shape*, or the documents in it, as JSON or YAML; return 0."""
    import json

    import msgspec

    plain = msgspec.to_builtins(shape)
    if output == "yaml":
        import yaml

        text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=_NEVER_FOLD)
        click.echo(text, nl=False)
        return 0
    click.echo(json.dumps(plain, indent=2, ensure_ascii=False))
    return 0


def print_shapes(shapes: Iterable[object], output: str, asked: object = None) -> int:
    """Print *shapes* as a list; the only one by itself if something was *asked* for. Return 0."""
    listed = list(shapes)
    print_shape(listed[0] if asked is not None and listed else listed, output)
    return 0

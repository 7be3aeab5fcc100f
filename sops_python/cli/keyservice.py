"""`sops keyservice`: lets other processes use the keys that this one has."""

from __future__ import annotations

from typing import Any

import click

from sops_python.cli.files import Bench, ask
from sops_python.cli.words import SopsCommand, take_exactly
from sops_python.keyservice.answers import KeyService
from sops_python.keyservice.listener import choose_place, serve


@click.command(cls=SopsCommand)
@click.argument(
    "words",
    nargs=-1,
    metavar=" ",
    expose_value=False,
    callback=take_exactly(0, "error: no positional arguments allowed"),
)
@click.option("--network", "--net", default="tcp", show_default=True, help="tcp, or unix.")
@click.option(
    "--address",
    "--addr",
    default="127.0.0.1:5000",
    show_default=True,
    help="Where to listen, such as 127.0.0.1:5000, or /tmp/sops.sock.",
)
@click.option("--prompt", is_flag=True, help="Ask before each request.")
@click.option("--verbose", is_flag=True, help="Print each request.")
@click.pass_context
def keyservice(context: click.Context, /, **options: Any) -> int:
    """Use keys for other processes, until a signal ends it.

    They name it: `--keyservice unix:///tmp/sops.sock`. Whoever can connect can use every key
    that is at hand here.
    """
    bench: Bench = context.obj
    assert context.parent is not None  # noqa: S101  it is a command of a group
    is_verbose = options["verbose"] or context.parent.params["verbose"]
    place = choose_place(options["network"], options["address"], bench.folder)

    def report(line: str) -> None:
        if is_verbose:
            click.echo(line, err=True)

    def confirm(what: str) -> bool:
        return not options["prompt"] or ask(f"\nReceived {what}. Respond to request? (y/n): ")

    if place.path is None:
        click.echo(
            f"Whoever can connect to {place} can use these keys; `--network unix` is for you only.",
            err=True,
        )
    service = KeyService(open_keyring=bench.open_local_keyring, confirm=confirm, report=report)
    serve(service, place, report)
    return 0

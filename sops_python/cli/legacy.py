"""`sops FILE`, with what is to be done given by options that stand before it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import click

from sops_python.cli.encrypt import decrypt_file, encrypt_file, rotate_file
from sops_python.cli.files import (
    Bench,
    Options,
    check_exists,
    check_output,
    exit_with,
    refuse_new_keys,
    write_output,
)
from sops_python.cli.words import warn_of_more
from sops_python.errors import SopsError
from sops_python.tree import parse_path

_ACTIONS = ("encrypt", "decrypt", "rotate", "set_text")
"""In the order in which they are done; only what the last one makes is written."""


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def legacy(context: click.Context, words: tuple[str, ...]) -> int:
    """Do with the first of WORDS, a file, what the options of the group say."""
    assert context.parent is not None  # noqa: S101  it is a command of a group
    options, bench = context.parent.params, context.obj
    warn_of_more(words)
    check_output(options)
    path = bench.locate(words[0])
    name = bench.locate(options["filename_override"] or words[0])
    refuse_new_keys(path, options)
    actions = [action for action in _ACTIONS if options[action]]
    if set(actions) & {"encrypt", "decrypt", "rotate"}:
        check_exists(path)
    if len(actions) > 1:
        click.echo(f"of {', '.join(actions)}, only what the last one makes is written", err=True)
    if actions != ["decrypt"]:
        bench.find_rule(name, options)
    if not actions:
        from sops_python.cli.edit import edit_file

        edit_file(bench, path, options)
    elif (data := _run(actions, bench, path, name, options)) is not None:
        write_output(data, path, options, bench)
    return 0


def _run(
    actions: list[str], bench: Bench, path: Path, name: Path, options: Options
) -> bytes | None:
    """Return what the last of *actions* makes; None if it has written the file itself."""
    *_, last = actions
    if "encrypt" in actions and last != "encrypt":
        bench.build_metadata(name, options, bench.open_input(name, options).name)
        with suppress(SopsError):
            encrypt_file(bench, path, name, options)
    if last == "set_text":
        from sops_python.cli.edit import parse_value, write_value

        steps, value = _split_set(options["set_text"])
        write_value(bench, path, steps, parse_value(value), options)
        return None
    if last == "rotate":
        return rotate_file(bench, path, options)
    return (encrypt_file if last == "encrypt" else decrypt_file)(bench, path, name, options)


def _split_set(text: str) -> tuple[tuple[str | int, ...], str]:
    steps, mark, value = text.partition("] ")
    if not mark:
        raise SopsError("Invalid --set format", hint="""--set '["key"] JSON'""", exit_code=7)
    with exit_with(7):
        return parse_path(f"{steps}]"), value

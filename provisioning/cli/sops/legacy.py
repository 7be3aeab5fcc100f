"""`sops FILE`, with what is to be done given by options that stand before it."""

from __future__ import annotations

import click

from provisioning.cli.sops.files import Bench, Options, check_exists, check_output, write_output
from provisioning.cli.sops.transforms import decrypt_file, encrypt_file, rotate_file
from provisioning.secrets.sops.errors import SopsError
from provisioning.secrets.sops.tree import parse_path


@click.command()
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def legacy(context: click.Context, words: tuple[str, ...]) -> int:
    """Do with the first of WORDS, a file, what the options of the group say."""
    assert context.parent is not None  # noqa: S101  it is a command of a group
    options, bench = context.parent.params, context.obj
    if len(words) > 1:
        click.echo("More than one positional argument; only the first one is used!", err=True)
    check_output(options)
    _refuse_new_keys(bench, words[0], options)
    path = bench.locate(words[0])
    name = bench.locate(options["filename_override"] or words[0])
    if options["set_text"]:
        from provisioning.cli.sops.changes import parse_value, write_value

        check_exists(path)
        steps, value = _split_set(options["set_text"])
        write_value(bench, path, parse_path(steps), parse_value(value), options)
        return 0
    if options["rotate"]:
        data = rotate_file(bench, path, options)
    elif options["decrypt"]:
        data = decrypt_file(bench, path, name, options)
    elif options["encrypt"]:
        data = encrypt_file(bench, path, name, options)
    else:
        from provisioning.cli.sops.changes import edit_file

        edit_file(bench, path, options)
        return 0
    write_output(data, path, options, bench)
    return 0


def _refuse_new_keys(bench: Bench, file: str, options: Options) -> None:
    changes = [name for name, value in options.items() if value and name[:4] in ("add_", "rm_a")]
    if changes and not bench.locate(file).exists():
        raise SopsError(
            f"Error: cannot add or remove keys on non-existent file {file!r}",
            hint="use --age, --kms or --pgp instead",
            exit_code=49,
        )


def _split_set(text: str) -> tuple[str, str]:
    steps, mark, value = text.partition("] ")
    if not mark:
        raise SopsError("Invalid --set format", hint="""--set '["key"] JSON'""", exit_code=7)
    return f"{steps}]", value

"""`sops edit`, `set` and `unset`: a change inside a file."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from sops_python.cipher import Cipher
from sops_python.cli import options as shared
from sops_python.cli.examples import EXAMPLES
from sops_python.cli.files import Bench, Options, exit_with, read_input
from sops_python.cli.words import NO_FILE, SopsCommand, take_exactly
from sops_python.data_keys import generate_data_key, naming_step, wrap_data_key
from sops_python.disk.editor import edit_text
from sops_python.disk.replacement import replace_file
from sops_python.document import Document
from sops_python.errors import PathNotFound, SopsError
from sops_python.files import (
    Opened,
    Store,
    check_no_metadata,
    dump_document,
    load_encrypted,
    load_plain,
)
from sops_python.metadata import render_metadata
from sops_python.stores.json import JsonStore
from sops_python.timestamps import now
from sops_python.tree import Value, parse_path, remove_path, write_path


@click.command(cls=SopsCommand)
@shared.FILE
@shared.KEYS
@shared.TYPES
@shared.SELECTION
@click.option("--show-master-keys", "-s", is_flag=True, help="Show the keys while editing.")
@shared.IGNORE_MAC
@shared.ORDER
@shared.KEYSERVICE
@click.pass_obj
def edit(bench: Bench, /, file: str, **options: Any) -> int:
    """Edit FILE in $SOPS_EDITOR or $EDITOR; make it if there is none."""
    edit_file(bench, bench.locate(file), options)
    return 0


def edit_file(bench: Bench, path: Path, options: Options) -> None:
    """Let the user edit the file at *path*, and encrypt what comes out."""
    source, target = bench.open_input(path, options), bench.open_output(path, options)
    if path.exists():
        opened = bench.open(path, path, options)
        text = _show(opened, target, options)
    else:
        opened = _begin(bench, path, options, source)
        text = EXAMPLES[target.name].encode()

    def parse(data: bytes) -> bytes:
        if options.get("show_master_keys"):
            edited = load_encrypted(data, source)
            metadata = wrap_data_key(edited.metadata, opened.data_key, bench.keyring, now())
            edited = Document(edited.branches, metadata)
        else:
            branches = load_plain(data, source, target)
            edited = Document(branches, opened.document.metadata)
        return _seal(replace(opened, document=edited), target)

    replace_file(path, edit_text(text, path.name, parse, bench.environ))


def _show(opened: Opened, target: Store, options: Options) -> bytes:
    if options.get("show_master_keys"):
        document = opened.document
        return target.dump_encrypted(document.branches, render_metadata(document.metadata))
    return target.dump(opened.document.branches)


def _begin(bench: Bench, path: Path, options: Options, source: Store) -> Opened:
    """Prepare a new file, so that a missing key is found before anything is written."""
    data_key = generate_data_key()
    metadata = bench.build_metadata(path, options, source.name)
    step = "Error encrypting the data key with one or more master keys"
    with exit_with(128), naming_step(step):
        wrapped = wrap_data_key(metadata, data_key, bench.keyring, now())
    return Opened(document=Document([], wrapped), cipher=Cipher(data_key), data_key=data_key)


def _seal(opened: Opened, target: Store) -> bytes:
    return dump_document(opened.seal(now()), target)


@click.command("set", cls=SopsCommand)
@click.argument("words", nargs=-1, metavar="FILE INDEX [VALUE]")
@shared.TYPES
@click.option("--value-file", is_flag=True, help="VALUE names the file that holds the value.")
@click.option("--value-stdin", is_flag=True, help="Read the value from the standard input.")
@click.option("--shamir-secret-sharing-threshold", type=int, default=0, hidden=True)
@shared.IGNORE_MAC
@shared.ORDER
@click.option("--idempotent", is_flag=True, help="Write nothing if the value is there already.")
@shared.KEYSERVICE
@click.pass_obj
def set_value(bench: Bench, /, words: tuple[str, ...], **options: Any) -> int:
    """Set what stands at INDEX, such as '["key"][0]', to VALUE, which is JSON."""
    if options["value_file"] and options["value_stdin"]:
        raise SopsError(
            "Error: cannot use both --value-file and --value-stdin", hint="choose one of them"
        )
    if len(words) != (2 if options["value_stdin"] else 3):
        raise SopsError(
            "Error: no file specified, or index and value are missing",
            hint="""sops set FILE '["key"]' '"value"'""",
            exit_code=NO_FILE,
        )
    file, index, value = (*words, None)[:3]
    assert file is not None and index is not None  # noqa: S101, PT018  two words at least
    steps = _read_index(index, "set")
    new = parse_value(_read_value(bench, value, options))
    write_value(bench, bench.locate(file), steps, new, options)
    return 0


def _read_value(bench: Bench, value: str | None, options: Options) -> str:
    if value is None:
        return sys.stdin.read()
    if options["value_file"]:
        with exit_with(1):
            return read_input(bench.locate(value)).decode("utf-8", "surrogateescape")
    return value


def _read_index(text: str, command: str) -> tuple[str | int, ...]:
    try:
        steps = parse_path(text)
    except SopsError as exc:
        raise SopsError(f"Invalid {command} index format", hint=exc.hint, exit_code=7) from exc
    if not steps:
        raise SopsError(f"Invalid {command} index format", hint="name a key", exit_code=7)
    return steps


def parse_value(text: str) -> Value:
    """Return the tree of the JSON *text*.

    Raises:
        SopsError: If it is not JSON; the error does not repeat it.
    """
    try:
        envelope = JsonStore().load(b'{"": ' + text.encode("utf-8", "surrogateescape") + b"}")
        ((_, value),) = envelope[0]
        is_valid = value not in (math.inf, -math.inf)
    except (SopsError, ValueError):
        is_valid = False
    if not is_valid:
        raise SopsError(
            "Value for --set is not valid JSON",
            hint="""text needs its quotes: '"text"'""",
            exit_code=7,
        )
    return value


def write_value(
    bench: Bench, path: Path, steps: tuple[str | int, ...], value: Value, options: Options
) -> None:
    """Set what stands at *steps* in the file at *path*."""
    opened = bench.open(path, path, options)
    branches = opened.document.branches
    changed = write_path(branches[0], steps, value)
    check_no_metadata(changed, bench.open_output(path, options).name)
    if options.get("idempotent") and changed == branches[0]:
        return
    _write(bench, path, opened, changed, options)


def _write(bench: Bench, path: Path, opened: Opened, branch: Value, options: Options) -> None:
    document = opened.document
    edited = Document([branch, *document.branches[1:]], document.metadata)
    target = bench.open_output(path, options)
    replace_file(path, _seal(replace(opened, document=edited), target))


@click.command(cls=SopsCommand)
@click.argument(
    "words",
    nargs=-1,
    metavar="FILE INDEX",
    callback=take_exactly(2, "Error: no file specified, or index is missing", NO_FILE),
)
@shared.TYPES
@click.option("--shamir-secret-sharing-threshold", type=int, default=0, hidden=True)
@shared.IGNORE_MAC
@shared.ORDER
@click.option("--idempotent", is_flag=True, help="Write nothing if there is nothing.")
@shared.KEYSERVICE
@click.pass_obj
def unset(bench: Bench, /, words: tuple[str, str], **options: Any) -> int:
    """Remove what stands at INDEX, such as '["key"][0]'."""
    file, index = words
    path = bench.locate(file)
    steps = _read_index(index, "unset")
    opened = bench.open(path, path, options)
    try:
        branch = remove_path(opened.document.branches[0], steps)
    except PathNotFound:
        if options["idempotent"]:
            return 0
        raise
    _write(bench, path, opened, branch, options)
    return 0

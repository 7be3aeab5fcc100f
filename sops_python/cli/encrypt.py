"""`sops encrypt`, `decrypt` and `rotate`: from one whole file to another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from sops_python.cli import options as shared
from sops_python.cli.files import (
    Bench,
    Options,
    check_exists,
    check_output,
    read_input,
    read_keys,
    refuse_new_keys,
    write_output,
)
from sops_python.cli.words import SopsCommand
from sops_python.errors import SopsError
from sops_python.files import (
    Store,
    dump_document,
    encrypt_branches,
    load_plain,
    rotate_document,
)
from sops_python.metadata import Metadata
from sops_python.timestamps import now
from sops_python.tree import Branch, parse_path, read_path


@click.command(cls=SopsCommand)
@shared.FILE_OR_INPUT
@shared.OUTPUT
@shared.KEYS
@shared.TYPES
@shared.SELECTION
@shared.NAME
@shared.KEYSERVICE
@click.pass_obj
def encrypt(bench: Bench, /, file: str | None, **options: Any) -> int:
    """Encrypt FILE, or the standard input."""
    check_output(options)
    name = options["filename_override"] or file
    if file is None:
        _refuse_in_place(options)
    if name is None:
        raise SopsError(
            "Error: must specify --filename-override when reading from stdin",
            hint="its name tells the format and the rule",
            exit_code=8,
        )
    path = bench.locate(file) if file else None
    write_output(encrypt_file(bench, path, bench.locate(name), options), path, options, bench)
    return 0


def _refuse_in_place(options: Options) -> None:
    if options["in_place"]:
        raise SopsError(
            "Error: cannot use --in-place when reading from stdin",
            hint="name a file",
            exit_code=8,
        )


def encrypt_file(bench: Bench, path: Path | None, name: Path, options: Options) -> bytes:
    """Return the file at *path*, or the standard input, encrypted by the rules for *name*."""
    if path:
        check_exists(path)
    source, target = bench.open_input(name, options), bench.open_output(name, options)
    metadata = bench.build_metadata(name, options, source.name)
    branches = load_plain(read_input(path), source, target)
    return dump_document(encrypt_branches(branches, metadata, bench.keyring, now()), target)


@click.command(cls=SopsCommand)
@shared.FILE_OR_INPUT
@shared.OUTPUT
@click.option("--extract", default="", help="""Only this part: '["key"][0]'.""")
@shared.TYPES
@shared.IGNORE_MAC
@shared.NAME
@shared.ORDER
@shared.KEYSERVICE
@click.pass_obj
def decrypt(bench: Bench, /, file: str | None, **options: Any) -> int:
    """Decrypt FILE, or the standard input."""
    check_output(options)
    if file is None:
        _refuse_in_place(options)
    path = bench.locate(file) if file else None
    name = bench.locate(options["filename_override"] or file or "")
    write_output(decrypt_file(bench, path, name, options), path, options, bench)
    return 0


def decrypt_file(bench: Bench, path: Path | None, name: Path, options: Options) -> bytes:
    """Return the file at *path*, or the standard input, in plain text."""
    if path:
        check_exists(path)
    steps = parse_path(options.get("extract") or "")
    branches = bench.open(path, name, options).document.branches
    target = bench.open_output(name, options)
    return _extract(branches, steps, target) if steps else target.dump(branches)


def _extract(branches: list[Branch], steps: tuple[str | int, ...], target: Store) -> bytes:
    value = read_path(branches[0], steps)
    if isinstance(value, Branch):
        return target.dump([value, *branches[1:]])
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    return target.dump_value(value)


@click.command(cls=SopsCommand)
@shared.FILE
@shared.OUTPUT
@shared.TYPES
@click.option("--encryption-context", help="KMS encryption context: key:value,…")
@shared.ROTATION
@shared.NAME
@shared.ORDER
@shared.KEYSERVICE
@click.pass_obj
def rotate(bench: Bench, /, file: str, **options: Any) -> int:
    """Encrypt FILE again under a new data key; add and remove keys."""
    check_output(options)
    path = bench.locate(file)
    refuse_new_keys(path, options)
    write_output(rotate_file(bench, path, options), path, options, bench)
    return 0


def rotate_file(bench: Bench, path: Path, options: Options) -> bytes:
    """Return the file at *path* under a new data key, with keys added and removed."""
    name = bench.locate(options.get("filename_override") or str(path))
    opened = bench.open(path, name, options)
    metadata = _change_keys(opened.document.metadata, options)
    rotated = rotate_document(opened, metadata, bench.keyring, now())
    return dump_document(rotated, bench.open_output(name, options))


def _change_keys(metadata: Metadata, options: Options) -> Metadata:
    gone = {key.label for key in read_keys(options, "rm_")}
    first, *others = metadata.groups
    groups = [(*first, *read_keys(options, "add_")), *others]
    kept = (tuple(key for key in group if key.label not in gone) for group in groups)
    return replace(metadata, groups=tuple(kept))

"""`sops publish`: puts files where the destination rules of `.sops.yaml` say."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import click
import msgspec

from sops_python.cli import options as shared
from sops_python.cli.files import Bench, Options, ask, exit_with
from sops_python.cli.keys import compare_groups
from sops_python.cli.words import SopsCommand
from sops_python.errors import SopsError
from sops_python.files import Opened, dump_document, rotate_document
from sops_python.keys.vault_api import find_address
from sops_python.metadata import Metadata
from sops_python.publishing.destinations import Engine, find_destination
from sops_python.publishing.s3 import upload
from sops_python.publishing.vault_kv import write
from sops_python.rules import Rule, Rules
from sops_python.selection import Selection
from sops_python.timestamps import now
from sops_python.tree import as_plain

_SUFFIXES = ("unencrypted_suffix", "encrypted_suffix")
"""The choices of encrypted values that a recreation rule can make, as in `sops`."""


@click.command(cls=SopsCommand)
@shared.FILE
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--omit-extensions", is_flag=True, help="Publish FILE without its extension.")
@click.option("--recursive", is_flag=True, help="Publish every file below a folder.")
@click.option("--verbose", is_flag=True, hidden=True)
@shared.ORDER
@shared.KEYSERVICE
@click.pass_obj
def publish(bench: Bench, /, file: str, **options: Any) -> int:
    """Put FILE where the destination rules of .sops.yaml say: encrypted to S3, decrypted to Vault.

    Everything is read before anything is written.
    """
    rules = bench.need_rules()
    parcels = []
    for name, target in _list(bench, file, options):
        with _naming(name):
            parcels.append(_pack(bench, rules, name, target, options))
    for parcel in parcels:
        _publish(parcel, options)
    return 0


class _Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """A file, ready to go: where to, how its keys change, and what sends it."""

    path: Path
    place: str
    changes: tuple[str, ...]
    send: Callable[[], None]


def _list(bench: Bench, file: str, options: Options) -> Iterator[tuple[str, str]]:
    """Yield each file to publish, as rules know it, and its name at the destination."""
    path = bench.locate(file)
    if not path.exists():
        raise SopsError(f"{file}: no such file or directory", hint="check its name")
    if not path.is_dir():
        yield file, path.name
        return
    if not options["recursive"]:
        raise SopsError(f"{file} is a directory", hint="publish all its files: --recursive")
    for item in _walk(path):
        below = item.relative_to(path)
        yield os.path.normpath(Path(file) / below), below.as_posix()


def _walk(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)
        else:
            yield path


@contextmanager
def _naming(file: str) -> Iterator[None]:
    """Name *file* in every error of the block: it may be one of many."""
    try:
        yield
    except SopsError as exc:
        raise SopsError(f"{file}: {exc.message}", hint=exc.hint, exit_code=exc.exit_code) from exc


def _pack(bench: Bench, rules: Rules, file: str, target: str, options: Options) -> _Parcel:
    path = bench.locate(file)
    rule = find_destination(rules, file, find_address(bench.environ))
    if options["omit_extensions"] or rule.omit_extensions:
        target = target.removesuffix(Path(target).suffix)
    with exit_with(1):
        old = bench.load(path, path, options).metadata
    changes: tuple[str, ...] = ()
    destination = rule.destination
    if isinstance(destination, Engine):
        values = _read_values(bench.open(path, path, options))
        send = partial(write, destination, target, values, bench.environ)
    elif rule.recreation is None:
        send = partial(upload, destination, target, path.read_bytes())
    else:
        wanted = _build_metadata(rule.recreation)
        changes = tuple(compare_groups(old.groups, wanted.groups))
        new = rotate_document(bench.open(path, path, options), wanted, bench.keyring, now())
        data = dump_document(new, bench.open_input(path, options))
        send = partial(upload, destination, target, data)
    return _Parcel(path=path, place=destination.locate(target), changes=changes, send=send)


def _build_metadata(rule: Rule) -> Metadata:
    """Return whom a file is encrypted for; of what is encrypted, a rule says no more than a suffix.

    So it is in `sops`, too: what a creation rule would leave readable is encrypted.
    """
    for name in rule.rules.keys() - _SUFFIXES:
        click.echo(f"{name} is not used: a recreation rule knows suffixes only", err=True)
    suffixes = {name: rule.rules.get(name, "") for name in _SUFFIXES}
    return Metadata(
        groups=rule.groups, selection=Selection.build(suffixes), threshold=rule.threshold
    )


def _read_values(opened: Opened) -> Mapping[str, Any]:
    branches = opened.document.branches
    values = {name: item for branch in branches for name, item in as_plain(branch).items()}
    try:
        json.dumps(values, allow_nan=False, ensure_ascii=False).encode()
    except ValueError as exc:
        raise SopsError(
            "it holds a value that is no JSON: bytes that are no text, or no finite number",
            hint="publish it to a bucket: s3_bucket",
        ) from exc
    return values


def _publish(parcel: _Parcel, options: Options) -> None:
    if any(line[0] in "+-" for line in parcel.changes):
        click.echo("The following changes will be made to the file's key groups:")
        click.echo("\n".join(parcel.changes))
    question = f"uploading {parcel.path} to {parcel.place} ? (y/n): "
    if options["yes"] or ask(question):
        parcel.send()
        click.echo(f"{parcel.path} is published as {parcel.place}", err=True)
        return
    canceled = f"Publication of {parcel.path} canceled"
    if not options["recursive"]:
        raise SopsError(canceled, hint="it stands there as it stood before")
    click.echo(canceled)

"""`sops updatekeys`, `groups` and `filestatus`: who can open a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from itertools import zip_longest
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from sops_python.cli import options as shared
from sops_python.cli.files import (
    Bench,
    Options,
    ask,
    exit_with,
    read_keys,
    write_output,
)
from sops_python.cli.words import NO_FILE, SopsCommand, take_exactly
from sops_python.data_keys import unwrap_data_key
from sops_python.disk.replacement import replace_file
from sops_python.errors import NotEncrypted, SopsError
from sops_python.files import dump_document, rewrap_document
from sops_python.metadata import KeyGroup, Metadata
from sops_python.timestamps import now


@click.command(cls=SopsCommand)
@click.argument("files", nargs=-1, metavar="FILE...")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--input-type", help=shared.FORMATS)
@shared.KEYSERVICE
@click.pass_obj
def updatekeys(bench: Bench, /, files: tuple[str, ...], **options: Any) -> int:
    """Wrap the data keys of FILES by the keys that .sops.yaml names now."""
    bench.need_rules()
    if not files:
        raise SopsError("Error: no file specified", hint="name a file", exit_code=NO_FILE)
    if len(files) == 1:
        _update(bench, bench.locate(files[0]), options)
        return 0
    failed = 0
    for file in files:
        try:
            _update(bench, bench.locate(file), options)
        except SopsError as exc:
            click.echo(str(exc), err=True)
            failed += 1
    if failed:
        raise SopsError(f"failed updating {failed} key(s)", hint="see the reasons above")
    return 0


def _update(bench: Bench, path: Path, options: Options) -> None:
    click.echo(f"Syncing keys for file {path}", err=True)
    with exit_with(1):
        document = bench.load(path, path, options)
    rule = bench.find_rule(path, options)
    if rule is None:
        raise SopsError(
            f"the config file for {path} does not contain any creation rule",
            hint="write creation_rules into .sops.yaml",
        )
    old = document.metadata
    threshold = min(old.threshold, len(rule.groups))
    changes = list(_compare(old, rule.groups, threshold))
    if not any(line[0] in "+-" for line in changes):
        click.echo(f"File {path} already up to date", err=True)
        return
    click.echo("The following changes will be made to the file's groups:")
    click.echo("\n".join(changes))
    if not options["yes"] and not ask("Is this okay? (y/n):"):
        click.echo(f"File {path} left unchanged", err=True)
        return
    data_key = unwrap_data_key(old, bench.keyring)
    wanted = replace(old, groups=rule.groups, threshold=threshold)
    rewrapped = rewrap_document(document, data_key, wanted, bench.keyring, now())
    replace_file(path, dump_document(rewrapped, bench.open_input(path, options)))
    click.echo(f"File {path} synced with new keys", err=True)


def _compare(old: Metadata, groups: tuple[KeyGroup, ...], threshold: int) -> Iterator[str]:
    """Yield a line for the threshold and for each key of each group, as a diff."""
    if old.threshold == threshold:
        yield from [f"shamir_threshold: {threshold}"] if threshold else []
    else:
        yield from [f"+++ shamir_threshold: {threshold}"] if threshold else []
        yield from [f"--- shamir_threshold: {old.threshold}"] if old.threshold else []
    yield from compare_groups(old.groups, groups)


def compare_groups(old: tuple[KeyGroup, ...], new: tuple[KeyGroup, ...]) -> Iterator[str]:
    """Yield a line for each key of each group, as a diff."""
    for number, (ours, theirs) in enumerate(zip_longest(old, new, fillvalue=()), 1):
        yield f"Group {number}"
        before, after = [key.label for key in ours], [key.label for key in theirs]
        yield from (f"    {label}" for label in after if label in before)
        yield from (f"+++ {label}" for label in after if label not in before)
        yield from (f"--- {label}" for label in before if label not in after)


@click.group(no_args_is_help=False, invoke_without_command=True)
@click.pass_context
def groups(context: click.Context) -> int:
    """Add and delete the key groups of a file."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
    return 0


_FILE = shared.combine(
    click.option("--file", "-f", default="", help="The file."),
    shared.IN_PLACE,
    click.option("--shamir-secret-sharing-threshold", type=int, default=0, help="Groups needed."),
    shared.KEYSERVICE,
)


@groups.command(cls=SopsCommand)
@click.argument(
    "words",
    nargs=-1,
    metavar=" ",
    expose_value=False,
    callback=take_exactly(0, "error: no positional arguments allowed"),
)
@_FILE
@shared.combine(
    *(
        click.option(f"--{name}", multiple=True, help="A key of the new group.")
        for name in ("pgp", "kms", "gcp-kms", "hckms", "azure-kv", "hc-vault-transit", "age")
    ),
    click.option("--aws-profile", help="The AWS profile to use for requests to AWS."),
    click.option("--encryption-context", help="KMS encryption context: key:value,…"),
)
@click.pass_obj
def add(bench: Bench, /, file: str, **options: Any) -> int:
    """Add a key group."""
    path = bench.locate(file)
    document = bench.load(path, path, options)
    group = tuple(read_keys(options))
    _regroup(bench, path, (*document.metadata.groups, group), options)
    return 0


@groups.command(cls=SopsCommand)
@_FILE
@click.argument(
    "words",
    nargs=-1,
    metavar="INDEX",
    callback=take_exactly(1, "error: exactly one positional argument (index) required"),
)
@click.pass_obj
def delete(bench: Bench, /, file: str, words: tuple[str], **options: Any) -> int:
    """Delete the key group INDEX, counted from 0."""
    if not words[0].isdecimal():
        raise SopsError(f"failed to parse [index] argument: {words[0]!r}", hint="count from 0")
    index = int(words[0])
    path = bench.locate(file)
    old = bench.load(path, path, options).metadata.groups
    if index >= len(old):
        raise SopsError(
            f"there is no key group {index}: the file has {len(old)}", hint="count from 0"
        )
    _regroup(bench, path, (*old[:index], *old[index + 1 :]), options)
    return 0


def _regroup(bench: Bench, path: Path, groups: tuple[KeyGroup, ...], options: Options) -> None:
    document = bench.load(path, path, options)
    old = document.metadata
    threshold = options["shamir_secret_sharing_threshold"] or old.threshold
    if len(groups) < threshold:
        raise SopsError(
            "removing this key group will make the Shamir threshold impossible to satisfy: Shamir "
            f"threshold is {threshold}, but we only have {len(groups)} key groups",
            hint="pass a lower --shamir-secret-sharing-threshold",
        )
    with exit_with(1):
        data_key = unwrap_data_key(old, bench.keyring)
    wanted = replace(old, groups=groups, threshold=threshold)
    rewrapped = rewrap_document(document, data_key, wanted, bench.keyring, now())
    target = bench.open_output(path, options)
    write_output(dump_document(rewrapped, target), path, options, bench)


@click.command(cls=SopsCommand)
@shared.FILE
@click.option("--input-type", help=shared.FORMATS)
@click.pass_obj
def filestatus(bench: Bench, /, file: str, **options: Any) -> int:
    """Print as JSON whether FILE is encrypted."""
    path = bench.locate(file)
    is_encrypted = False
    with exit_with(1), suppress(NotEncrypted):
        metadata = bench.load(path, path, options).metadata
        is_encrypted = bool(metadata.version and metadata.mac)
    click.echo(json.dumps({"encrypted": is_encrypted}, separators=(",", ":")))
    return 0

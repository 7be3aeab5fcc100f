"""`sops exec-env` and `exec-file`: a program that is given the values."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from sops_python.cli import options as shared
from sops_python.cli.files import Bench, Options
from sops_python.cli.words import SopsCommand, take_exactly
from sops_python.disk.private_files import open_private_folder, write_private
from sops_python.errors import SopsError
from sops_python.stores.scalars import render_scalar
from sops_python.tree import Branch, Comment

_SHELL = "/bin/sh"
_KILLED = 255
"""The exit code if a signal ended the command."""

_FILE_NAME = "tmp-file"


_WORDS = click.argument(
    "words",
    nargs=-1,
    metavar="FILE COMMAND",
    callback=take_exactly(2, "error: missing file to decrypt, or command to run"),
)


@click.command("exec-env", cls=SopsCommand)
@_WORDS
@click.option("--background", is_flag=True, help="Do not wait for the command.")
@click.option("--pristine", is_flag=True, help="Give it nothing but the values.")
@click.option("--user", default="", help="Run it as this user.")
@click.option("--same-process", is_flag=True, help="Become the command instead of starting it.")
@click.option("--input-type", help=shared.FORMATS)
@shared.IGNORE_MAC
@shared.ORDER
@shared.KEYSERVICE
@click.pass_obj
def exec_env(bench: Bench, /, words: tuple[str, str], **options: Any) -> int:
    """Run COMMAND with the values of FILE in its environment."""
    file, command = words
    if options["background"] and options["same_process"]:
        raise SopsError(
            "Error: The --same-process flag cannot be used with --background",
            hint="choose one of them",
            exit_code=8,
        )
    path = bench.locate(file)
    values = _read_environment(bench.open(path, path, options).document.branches[0])
    environ = {} if options["pristine"] else dict(bench.environ)
    environ |= _describe_user(options["user"]) | values
    if options["same_process"]:
        _become(options["user"])
        os.execve(_SHELL, [_SHELL, "-c", command], environ)  # noqa: S606
    return _run(command, environ, options)


def _read_environment(branch: Branch) -> dict[str, str]:
    values = {}
    for key, value in branch:
        if isinstance(key, Comment):
            continue
        if isinstance(value, list):
            raise SopsError(
                f"cannot use complex value in environment; offending key {key}",
                hint="only single values can be variables",
            )
        if "=" in key or "\0" in key:
            raise SopsError(
                f"cannot use keys with '=' in environment: {key}", hint="rename the key"
            )
        values[key] = value if isinstance(value, str) else render_scalar(value)
    return values


def _describe_user(name: str) -> dict[str, str]:
    """Return the variables by which a program knows the user it runs as."""
    import pwd

    if not name:
        return {}
    try:
        user = pwd.getpwnam(name)
    except KeyError as exc:
        raise SopsError(f"user: unknown user {name}", hint="check --user") from exc
    return {"HOME": user.pw_dir, "USER": user.pw_name, "LOGNAME": user.pw_name}


def _become(name: str) -> None:
    import pwd

    if not name:
        return
    user = pwd.getpwnam(name)
    try:
        os.initgroups(name, user.pw_gid)
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
    except OSError as exc:
        raise SopsError(
            f"the command cannot be run as {name}: {exc.strerror}", hint="run it as root"
        ) from exc


def _run(command: str, environ: Mapping[str, str], options: Options) -> int:
    import pwd

    user = options["user"] or None
    try:
        child = subprocess.Popen(
            [_SHELL, "-c", command],
            env=environ,
            user=user,
            group=pwd.getpwnam(user).pw_gid if user else None,
            extra_groups=[] if user else None,
        )
    except (OSError, ValueError, LookupError) as exc:
        raise SopsError(
            f"the command cannot be started: {exc}", hint="check the user and the values"
        ) from exc
    if options["background"]:
        child.returncode = 0  # it goes on by itself
        return 0
    status = child.wait()
    if status:
        end = f"exit status {status}" if status > 0 else f"signal: {signal.strsignal(-status)}"
        click.echo(end, err=True)
    return status if status >= 0 else _KILLED


@click.command("exec-file", cls=SopsCommand)
@_WORDS
@click.option("--background", is_flag=True, hidden=True)
@click.option("--no-fifo", is_flag=True, help="Use a file in memory instead of a pipe.")
@click.option("--user", default="", help="Run it as this user.")
@shared.TYPES
@click.option("--filename", default="", help="The name of the file that the command sees.")
@shared.IGNORE_MAC
@shared.ORDER
@shared.KEYSERVICE
@click.pass_obj
def exec_file(bench: Bench, /, words: tuple[str, str], **options: Any) -> int:
    """Run COMMAND, in which {} stands for a file with the plain text of FILE."""
    file, command = words
    name = options["filename"] or _FILE_NAME
    if Path(name).is_absolute() or ".." in Path(name).parts or "/" in name:
        raise SopsError("The provided filename is not a local path.", hint="give a plain name")
    if options["background"]:
        raise SopsError(
            "a command in the background would outlive its file", hint="leave out --background"
        )
    path = bench.locate(file)
    target = bench.open_output(path, options)
    text = target.dump(bench.open(path, path, options).document.branches)
    with open_private_folder(bench.environ) as folder:
        place = folder / name
        if options["no_fifo"]:
            write_private(place, text)
        else:
            os.mkfifo(place, 0o600)
            threading.Thread(target=_feed, args=(place, text), daemon=True).start()
        environ = {**bench.environ, **_describe_user(options["user"])}
        return _run(command.replace("{}", str(place)), environ, options)


def _feed(place: Path, text: bytes) -> None:
    try:
        with place.open("wb") as pipe:
            pipe.write(text)
    except OSError:
        return  # the reader has seen enough

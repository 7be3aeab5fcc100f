"""Starts processes that survive us, marked and in a session of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from provisioning.core.model.errors import ProviderError
from provisioning.core.model.ids import Mark
from provisioning.core.model.providers import Call
from provisioning.core.model.values import Tree
from provisioning.providers.local.processes.notes import ProcessFiles
from provisioning.providers.local.processes.procfs import (
    MARK_VARIABLE,
    SeenProcess,
    is_introduced,
    read_child,
)

SPEC_VARIABLE = "PROVISIONING_SPEC"

BLINK = 0.0005
"""Seconds between two looks at a process that is just coming to life."""

PASSED_ON = ("PATH", "HOME", "USER", "LANG", "TZ")
"""What a process gets of our own environment."""

UMASK = 0o022
"""That of a managed process, whatever the reconciler's own is."""

LEADER = """\
trap : HUP INT QUIT TERM USR1 USR2
exec 3>&2 2>/dev/null
(exec "$@" 2>&3 3>&-)
set -- "$?"
printf '%s %s\\n' "$PROVISIONING_MARK" "$1" >"$0"
exit "$1"
"""
"""Leads the session: keeps the mark where a program overwrites its own environment to show a
title, and writes down with what the program has ended. Its own remarks go nowhere."""


class LiveSpec(msgspec.Struct, frozen=True):
    """What a process tells about itself in `PROVISIONING_SPEC`; *env* are the names only."""

    command: list[str]
    cwd: str
    env: list[str]
    restart: str
    stop: dict[str, Tree]
    timeout: float
    ready: dict[str, Tree] | None = None


def start(call: Call, inside: Path, process_files: ProcessFiles) -> SeenProcess:
    """Start the process that *call* asks for, with *inside* as its working directory.

    When this returns it can be found by its mark. The kernel lets Popen go on a moment before
    the new environment can be read.

    Raises:
        OSError: If the kernel refuses.
    """
    environment = build_environment(call.spec["env"])
    program = find_program(call.spec, inside)
    log = os.open(process_files.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        process = subprocess.Popen(
            ["/bin/sh", "-c", LEADER, process_files.exit, program, *call.spec["command"][1:]],
            cwd=inside,
            env=environment | _introduce(call.spec, call.mark),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            umask=UMASK,
        )
    finally:
        os.close(log)
    process.returncode = 0  # it outlives us on purpose; unset, Popen would warn of that
    while not is_introduced(process.pid):
        time.sleep(BLINK)
    return read_child(process.pid)


def build_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the little that is passed on of our own environment, and *variables*."""
    return {name: os.environ[name] for name in PASSED_ON if name in os.environ} | {**variables}


def _introduce(spec: Mapping[str, Tree], mark: Mark) -> dict[str, str]:
    told = {name: spec[name] for name in LiveSpec.__struct_fields__ if name in spec}
    text = msgspec.json.encode({**told, "env": sorted(spec["env"])}).decode()
    return {MARK_VARIABLE: str(mark), SPEC_VARIABLE: text}


def find_program(spec: Mapping[str, Tree], inside: Path) -> str:
    """Return the program of *spec* so that a shell cannot take it for a command of its own.

    Raises:
        ProviderError: If there is no such program.
    """
    name = str(spec["command"][0])
    is_relative = "/" in name and not name.startswith("/")
    path = build_environment(spec["env"]).get("PATH")
    found = shutil.which(inside / name if is_relative else name, path=path)
    if found is None:
        raise ProviderError(
            f"there is no program {name!r}",
            hint="install it, or correct `command`; a shell line is [sh, -c, …]",
        )
    return name if is_relative else os.path.abspath(found)  # noqa: PTH100  links stay as they are

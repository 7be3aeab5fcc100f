"""Judges the world with `git`, `/proc` and the file system: nothing of the code under test."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from scenarios import Scenario

FOREIGN = {"foreign.txt": "made by hand"}
SOON = 30.0
LOG, OTHER = "refs/heads/provisioning/web", "refs/heads/provisioning/shop"


def find_faults(scenario: Scenario, workspace: Path, log: Path, mark: bytes) -> Iterator[str]:
    """Yield what is wrong in the end: leaked, missing, twice, foreign, or left in the log.

    Args:
        scenario: What should be there.
        workspace: The workspace's folder.
        log: The repository that has the state log.
        mark: What the environment of every managed process contains.
    """
    yield from _find_faults_of_files(scenario, workspace / "live")
    running = _wait_for_processes(mark, scenario.processes)
    if len(running) != scenario.processes:
        yield f"{len(running)} processes run instead of {scenario.processes}: {running}"
    yield from _find_faults_of_branch(scenario, workspace)
    yield from _find_faults_of_log(scenario, log)


def _find_faults_of_files(scenario: Scenario, live: Path) -> Iterator[str]:
    wanted = {**FOREIGN, **scenario.files}
    files, folders = {}, set()
    for path in live.rglob("*"):
        name = str(path.relative_to(live))
        kind = path.lstat().st_mode
        if stat.S_ISDIR(kind):
            folders.add(name)
        else:
            files[name] = path.read_text(encoding="utf-8") if stat.S_ISREG(kind) else "?"
    if files != wanted:
        yield f"the files are {files} instead of {wanted}"
    if folders != scenario.folders:
        yield f"the folders are {sorted(folders)} instead of {sorted(scenario.folders)}"


def _find_faults_of_branch(scenario: Scenario, workspace: Path) -> Iterator[str]:
    asked = read_git(workspace, "show", "main:infra/web/example.yaml")
    if asked != (scenario.asked or scenario.after):
        yield f"Git asks for {asked!r}"
    changed = read_git(workspace, "status", "--porcelain")
    if changed:
        yield f"the work tree is not as its branch: {changed}"


def read_git(folder: Path, *arguments: str) -> str:
    """Return what git says of the repository at *folder*."""
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout


def _find_faults_of_log(scenario: Scenario, log: Path) -> Iterator[str]:
    git = partial(read_git, log)
    try:
        git("fsck", "--strict", "--no-dangling")
    except subprocess.CalledProcessError as exc:
        yield f"git fsck: {exc.stderr.strip()}"
        return
    logs = {LOG: scenario.records} | ({OTHER: scenario.taken} if scenario.taking else {})
    for ref, records in logs.items():
        if not git("for-each-ref", ref):
            yield f"there is no state log {ref}"
            return
        names = git("ls-tree", "-r", "--name-only", ref).split()
        left = {"lock.json", "begin.json"} & set(names)
        if left:
            yield f"{ref} still has {', '.join(sorted(left))}"
        if ref == LOG and ("suspended.json" in names) != scenario.suspended:
            yield f"{ref} has {names}: is anything suspended?"
        leaves = (name for name in names if name.startswith("resources/"))
        lines = (line for name in leaves for line in git("show", f"{ref}:{name}").splitlines())
        recorded = sorted(json.loads(line)["id"] for line in lines)
        if recorded != sorted(records):
            yield f"{ref} has recorded {recorded} instead of {sorted(records)}"
        shown = "%P|%(trailers:key=Fencing-Token,valueonly,separator=)"
        yield from _find_faults_of_fences(git("log", "--reverse", f"--format={shown}", ref))


def _find_faults_of_fences(history: str) -> Iterator[str]:
    before = 0
    for line in history.splitlines():
        parents, _, token = line.partition("|")
        if len(parents.split()) > 1 or not token:
            yield "the history of the state log is not linear"
            return
        if int(token) not in {before, before + 1}:
            yield f"fencing token {token} follows {before}"
        before = int(token)


def _wait_for_processes(mark: bytes, count: int) -> list[int]:
    """Return what runs; a leader that was just started may still be about to start its program."""
    until = time.monotonic() + SOON
    while len(running := list(find_processes(mark))) < count and time.monotonic() < until:
        time.sleep(0.01)
    return running


def find_processes(mark: bytes) -> Iterator[int]:
    """Yield the managed programs (not their leaders) whose environment has *mark*."""
    for number, environment, command in _list_processes():
        if mark in environment and command.partition(b"\0")[0].endswith(b"sleep"):
            yield number


def kill_processes(mark: bytes) -> None:
    """Kill everything whose environment has *mark*."""
    for number, environment, _ in _list_processes():
        if mark in environment:
            os.kill(number, signal.SIGKILL)


def _list_processes() -> Iterator[tuple[int, bytes, bytes]]:
    for path in Path("/proc").iterdir():
        if path.name.isdigit() and int(path.name) != os.getpid():
            try:
                yield (
                    int(path.name),
                    (path / "environ").read_bytes(),
                    (path / "cmdline").read_bytes(),
                )
            except OSError:
                continue

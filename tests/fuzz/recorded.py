"""Targets that we write ourselves, and then find damaged: state log, journal, caches, notes."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path

import click
import msgspec
from properties import hold, hold_same, read_or_refuse, split_files, stored

from provisioning.core.model.ids import CommitId, ResourceId, parse_mark
from provisioning.core.model.records import Holder, Lock, Record
from provisioning.core.model.values import (
    Tree,
    as_json,
    compute_digest,
    from_json,
    has_unknown,
    is_equal,
)
from provisioning.core.statelog.fsck import LogCommit, compute_findings
from provisioning.core.statelog.transitions import (
    BEGIN,
    FENCE,
    LOCK,
    RUN,
    SNAPSHOT,
    EntryKind,
    LogEntry,
    parse_view,
)
from provisioning.core.statelog.transitions import render_record as render
from provisioning.gitstore.objects.commits import parse_message
from provisioning.gitstore.statelog.shards import compute_shard_changes, parse_leaf, render_leaf
from provisioning.interfaces.cli.arguments import Duration
from provisioning.interfaces.cli.saved_plan import SavedPlan, load_plan
from provisioning.localstore.journal import build_unfinished, read_unfinished
from provisioning.localstore.lock_observations import observe_lock
from provisioning.localstore.manifest_cache import load_snapshot
from provisioning.localstore.plan_cache import save_cache
from provisioning.providers.local.files.marks import read_sidecar
from provisioning.providers.local.files.path_syntax import name_sidecar
from provisioning.providers.local.processes.notes import ProcessFiles
from provisioning.providers.local.processes.process_state import find_run
from provisioning.providers.local.processes.procfs import (
    MARK_VARIABLE,
    Member,
    SeenProcess,
    _parse_environment,
)

HEAD = CommitId("0" * 40)


def check_view(data: bytes) -> None:
    """Lock, intention, run, snapshot and `fence` are read, or called damaged.

    An input is several files, each below a line `=== NAME`. What was read can be judged,
    recovered from and written, and is then read the same.
    """
    files = split_files(data)
    view = read_or_refuse(lambda: parse_view(HEAD, files))
    if view is None:
        return
    for intent in view.begin.intents if view.begin else ():
        read_or_refuse(lambda intent=intent: render_leaf([build_unfinished(intent)]))
    again = {LOCK: view.lock, BEGIN: view.begin, RUN: view.run, SNAPSHOT: view.snapshot}
    written = {name: render(each) for name, each in again.items()}
    hold_same(parse_view(HEAD, {**written, FENCE: str(view.fence).encode()}), view, "written")
    commit = LogCommit(
        id=HEAD,
        parents=(),
        time=0,
        subject="",
        trailers={},
        changed=frozenset(files),
        view=view,
    )
    hold(list(compute_findings([commit])), "an entry without trailers is in order")


def check_leaf(data: bytes) -> None:
    """A shard is read, or called damaged; written and split it holds the same records."""
    records = read_or_refuse(lambda: parse_leaf(data, "a.jsonl"))
    if records is None:
        return
    written = render_leaf(records)
    hold_same(render_leaf(parse_leaf(written, "a.jsonl")), written, "written and read again")
    known: dict[ResourceId, Record | None] = {each.id: each for each in records}
    files = compute_shard_changes({}, lambda _: b"", known)
    found = [each for path, leaf in files.items() for each in parse_leaf(leaf or b"", path)]
    hold_same(render_leaf(found), render_leaf(filter(None, known.values())), "in shards")


def check_journal(data: bytes) -> None:
    """A journal is read up to its torn end, or the damaged line is named."""
    with stored(data) as path:
        found = read_or_refuse(lambda: read_unfinished([path]))
        if found is not None:
            render_leaf(found)
            path.write_bytes(data + b'{"entry": "be')
            torn = read_unfinished([path]) if data.endswith(b"\n") or not data else found
            hold_same(torn, found, "with a torn end")


def check_snapshot(data: bytes) -> None:
    """A damaged cache is an empty one; what it holds is written as it was."""
    with stored(data) as path:
        snapshot = load_snapshot(path, "1")
        hold_same(load_snapshot(path, "1"), snapshot, "read twice")
        hold(snapshot.version == "1", "a cache of another version")
        for each in snapshot.files.values():
            each.unpack()
        save_cache(path, snapshot)
        hold_same(load_snapshot(path, "1"), snapshot, "written and read again")


def check_values(data: bytes) -> None:
    """A tree in JSON is decoded; written it is decoded to the same, with the same digest."""
    try:
        tree = from_json(msgspec.json.decode(data))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    again = from_json(msgspec.json.decode(msgspec.json.encode(as_json(tree))))
    hold(is_equal(again, tree), f"written and read again: {tree!r}, {again!r}")
    hold(compute_digest(again) == compute_digest(tree), "its digest changes")
    has_unknown(tree)


def check_plan(data: bytes) -> None:
    """A saved plan is read, or called none; written it is read the same."""
    with stored(data) as path:
        plan = read_or_refuse(lambda: load_plan(path))
        if isinstance(plan, SavedPlan):
            path.write_bytes(msgspec.json.format(msgspec.json.encode(plan), indent=2))
            hold_same(load_plan(path), plan, "written and read again")


def check_sighting(data: bytes) -> None:
    """A sighting of a lock tells a time, however damaged; noted anew it counts from then."""
    lock = Lock(token=1, holder=Holder("a", "b"), reason="", acquired_at="", renewed_at="", ttl=9)
    with stored(data) as path:
        hold(observe_lock(path, lock, "boot") >= 0, "it was seen in the future")
        observe_lock(path, lock, "another boot")
        hold(0 <= observe_lock(path, lock, "another boot") < 60, "it does not count from now")


def check_mark(data: bytes) -> None:
    """A mark is one or none; written it is read the same. So is a side-car of them."""
    mark = parse_mark(data.decode(errors="replace"))
    if mark:
        hold_same(parse_mark(str(mark)), mark, "written and read again")
        hold(mark.resource.count("/") == 1, f"of no resource: {mark}")
    with stored(data) as path:
        path.rename(path.with_name(name_sidecar("file")))
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            found = read_sidecar(folder, "file")
        finally:
            os.close(folder)
        hold(all(isinstance(inode, int) for inode in found), "an inode is no number")


def check_process(data: bytes) -> None:
    """A process tells its spec in its environment and its papers, or it is to be replaced.

    An input is `environ` as proc(5) has it, `note` and `exit`, each below a line `=== NAME`.
    """
    files = split_files(data)
    environment = _parse_environment(files.get("environ", b"").replace(b"\n", b"\0"))
    mark = parse_mark(environment.get(MARK_VARIABLE, ""))
    member = mark and Member(
        SeenProcess(pid=7, session=7, started=1, stack=1), mark, environment, 0
    )
    with stored(files.get("note", b"")) as note:
        ended = note.with_name("exit")
        ended.write_bytes(files.get("exit", b""))
        process_files = ProcessFiles(log=Path("log"), note=note, exit=ended)
        for members in ([member], []) if member else ([],):
            run = find_run(process_files, members)
            hold(run is None or run.mark.owner, "a run of nobody")
            render_attributes(run.attributes if run else {})


def render_attributes(attributes: Mapping[str, Tree]) -> bytes:
    """Write what a provider answers, as the state log and the terminal must."""
    return msgspec.json.encode(as_json(dict(attributes)))


def check_message(data: bytes) -> None:
    """Any commit message is read; whatever an entry says, nobody can forge its trailers."""
    text = data.decode(errors="replace")
    subject, trailers = parse_message(text)
    hold("\n" not in subject, "a subject of several lines")
    hold(all("\n" not in each for pair in trailers.items() for each in pair), "torn trailers")
    said = {"Run-Id": "7-abcdef", "Actor": text, "Result": text}
    entry = LogEntry(kind=EntryKind.RECORD, subject=text, trailers=said)
    line = " ".join(text.split())
    known = {"Run-Id": "7-abcdef", "Actor": line, "Result": line}
    hold_same(parse_message(entry.message), (line, known), "written and read again")


def check_duration(data: bytes) -> None:
    """A duration is a number of seconds that JSON can hold, or a usage error."""
    try:
        seconds = Duration().convert(data.decode(errors="surrogateescape"), None, None)
    except click.BadParameter:
        return
    hold(math.isfinite(seconds), f"{seconds} seconds")

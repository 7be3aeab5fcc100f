"""The local journal: what a run is about to do and has done, on disk before anything else.

One file a run, `<infra>/<run>.jsonl`, one JSON object a line: `{"entry": "begin", …}` before
an effect, forced to disk; `{"entry": "end", …}` after it. The file goes when the run is
recorded in the state log. It only ever tells where to look: what is there is decided by the
world, so that a stale journal does no harm.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from provisioning.core.errors import Source, StateLogDamaged, StorageFailed
from provisioning.core.ids import RunId
from provisioning.core.records import Action, Intent, Record
from provisioning.core.values import UNDECODABLE, Tree, as_json, from_json


class Begun(msgspec.Struct, frozen=True, tag_field="entry", tag="begin"):
    """An operation is about to be made."""

    intent: Intent


class Ended(msgspec.Struct, frozen=True, tag_field="entry", tag="end"):
    """An operation was made, with this answer."""

    operation: int
    attributes: dict[str, Tree]


class JournalDamaged(StorageFailed):
    """A line of a journal is no entry, and not merely the torn end of the last write."""

    code = "journal-damaged"
    retryable = False


class Journal:
    """The journal of one run; safe to use from many threads."""

    def __init__(self, folder: Path, run: RunId) -> None:
        self.path = folder / f"{run}.jsonl"
        self._mutex = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            _sync_folder(folder)
        except OSError as exc:
            raise _describe(exc, self.path) from exc

    def begin(self, intent: Intent) -> None:
        """Write that *intent* is about to be made; on return it is on disk.

        Raises:
            StorageFailed: If it cannot be; then the operation must not be made.
        """
        entry = Begun(msgspec.structs.replace(intent, attributes=as_json(intent.attributes)))
        self._write(entry, durable=True)

    def end(self, operation: int, attributes: Mapping[str, Tree]) -> None:
        """Write that *operation* was made. Not forced to disk: losing it costs only a look."""
        self._write(Ended(operation, as_json(dict(attributes))), durable=False)

    def _write(self, entry: Begun | Ended, *, durable: bool) -> None:
        line = msgspec.json.encode(entry) + b"\n"
        try:
            with self._mutex:
                os.write(self._file, line)
                if durable:
                    os.fdatasync(self._file)
        except OSError as exc:
            raise _describe(exc, self.path) from exc

    def close(self) -> None:
        """Let go of the file, which stays until `remove_journals`."""
        os.close(self._file)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _describe(exc: OSError, path: Path) -> StorageFailed:
    return StorageFailed(
        f"the journal {path} cannot be written: {exc.strerror}",
        hint="make room or rights there, or move it with PROVISIONING_HOME; then run again",
    )


def list_journals(folder: Path) -> list[Path]:
    """Return the journals of runs that were never recorded, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(folder.glob("*.jsonl"), key=lambda path: (path.stat().st_mtime_ns, path.name))


def read_unfinished(paths: Sequence[Path]) -> list[Record]:
    """Return what the creations in the journals at *paths* may have left, and where.

    Raises:
        JournalDamaged: If a line is no entry.
    """
    return [
        build_unfinished(intent) for path in paths for intent in find_creations(_read_intents(path))
    ]


def find_creations(intents: Iterable[Intent]) -> Iterator[Intent]:
    """Yield the intents that may have put something where no record tells of it."""
    return (each for each in intents if each.action is Action.CREATE or each.moved_from)


def build_unfinished(intent: Intent) -> Record:
    """Return the record that stands for what *intent* may have left in the world.

    Raises:
        StateLogDamaged: If its attributes are nested too deep to be ours.
    """
    try:
        attributes = from_json(intent.attributes)
    except RecursionError as exc:
        raise StateLogDamaged(
            f"what run {intent.run} was about to do with {intent.id} is nested too deep to read",
            hint="`provisioning fsck` names the commit that did it",
        ) from exc
    return Record(
        id=intent.id,
        kind=intent.kind,
        provider=intent.provider,
        spec={},
        attributes=attributes,
        run=intent.run,
        operation=intent.operation,
        source=Source("", 0),
        depends_on=intent.depends_on,
        moved_from=intent.moved_from,
        error="the run was cut off",
    )


def _read_intents(path: Path) -> Iterator[Intent]:
    intents: dict[int, Intent] = {}
    for entry in read_entries(path):
        if isinstance(entry, Begun):
            intents[entry.intent.operation] = entry.intent
        elif entry.operation in intents:
            begun = intents[entry.operation]
            known = {**begun.attributes, **entry.attributes}
            intents[entry.operation] = msgspec.structs.replace(begun, attributes=known)
    yield from intents.values()


def read_entries(path: Path) -> Iterator[Begun | Ended]:
    """Yield the entries of the journal at *path*, a torn end left out.

    Raises:
        JournalDamaged: If a line is no entry.
    """
    decoder = msgspec.json.Decoder(Begun | Ended)
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines[:-1], start=1):
        try:
            yield decoder.decode(line)
        except UNDECODABLE as exc:
            raise JournalDamaged(
                f"this line of the journal is damaged: {exc}",
                hint=f"move {path} away: the state log and the ownership marks tell the rest",
                source=Source(str(path), number),
            ) from exc


def remove_journals(paths: list[Path]) -> None:
    """Remove journals whose runs the state log now tells of."""
    for path in paths:
        path.unlink(missing_ok=True)

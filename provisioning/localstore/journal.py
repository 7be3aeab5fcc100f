"""The local journal of a run: its operations, on disk before their effects.

One file a run, `<infra>/<run>.jsonl`, one JSON object a line: `{"entry": "begin", …}` before
an effect, forced to disk; `{"entry": "pending", …}` when it goes on by itself, forced too;
`{"entry": "end", …}` after it. The file is removed when the run is
recorded in the state log. It only names resources to observe, so a stale journal does no harm.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec

from provisioning.core.model.errors import Source, StateLogDamaged, StorageFailed
from provisioning.core.model.ids import RunId
from provisioning.core.model.kinds import HANDLE
from provisioning.core.model.records import Action, Intent, Record
from provisioning.core.model.values import UNDECODABLE, Tree, as_json, from_json
from provisioning.transport.fsync import force


class BegunOperation(msgspec.Struct, frozen=True, tag_field="entry", tag="begin"):
    """An operation begins."""

    intent: Intent


class EndedOperation(msgspec.Struct, frozen=True, tag_field="entry", tag="end"):
    """An operation ended, with these attributes."""

    operation: int
    attributes: dict[str, Tree]


class PendingOperation(msgspec.Struct, frozen=True, tag_field="entry", tag="pending"):
    """An operation goes on by itself; *attributes* have its handle."""

    operation: int
    attributes: dict[str, Tree]


Entry: TypeAlias = BegunOperation | PendingOperation | EndedOperation

_DECODER = msgspec.json.Decoder(Entry)
"""Built once: msgspec crashes if two threads decode into one type for the first time."""


class JournalDamaged(StorageFailed):
    """A line of a journal is no entry, and not the torn end of the last write."""

    code = "journal-damaged"
    retryable = False


class Journal:
    """The journal of one run; safe to use from many threads.

    Threads that write at the same time share one `fdatasync`: the others write while one runs,
    and the next one serves all of them.
    """

    def __init__(self, folder: Path, run: RunId) -> None:
        self.path = folder / f"{run}.jsonl"
        self._state = threading.Condition()
        self._written = self._durable = 0
        self._is_forcing = False
        self._broken: OSError | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._size = os.fstat(self._file).st_size
            force(folder)
        except OSError as exc:
            raise _describe(exc, self.path) from exc

    def begin(self, intent: Intent) -> None:
        """Write that *intent* begins; on return it is on disk.

        Raises:
            StorageFailed: If it is not; then the operation must not be made.
        """
        attributes = as_json(intent.attributes) if intent.attributes else {}
        self._force(
            self._write(BegunOperation(msgspec.structs.replace(intent, attributes=attributes)))
        )

    def pend(self, operation: int, attributes: Mapping[str, Tree]) -> None:
        """Write that *operation* goes on under the handle in *attributes*; forced to disk."""
        self._force(self._write(PendingOperation(operation, as_json(dict(attributes)))))

    def end(self, operation: int, attributes: Mapping[str, Tree]) -> None:
        """Write that *operation* ended; not forced to disk, as a loss costs one observation."""
        self._write(EndedOperation(operation, as_json(dict(attributes))))

    def _write(self, entry: Entry) -> int:
        """Append *entry*; return the number of entries."""
        line = msgspec.json.encode(entry) + b"\n"
        try:
            with self._state:
                self._append(line)
                self._written += 1
                return self._written
        except OSError as exc:
            raise _describe(exc, self.path) from exc

    def _append(self, line: bytes) -> None:
        """Write *line* whole or not at all, so that no line follows a torn one."""
        if os.write(self._file, line) < len(line):
            os.ftruncate(self._file, self._size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._size += len(line)

    def _force(self, count: int) -> None:
        """Return once the first *count* entries are on disk."""
        while True:
            with self._state:
                self._state.wait_for(lambda: not self._is_forcing or self._durable >= count)
                if self._durable >= count:
                    return
                if self._broken is not None:
                    raise _describe(self._broken, self.path) from self._broken
                self._is_forcing, upto = True, self._written
            self._force_once(upto)

    def _force_once(self, upto: int) -> None:
        """Force the first *upto* entries; remember a failure, which the kernel reports once."""
        durable, broken = 0, None
        try:
            os.fdatasync(self._file)
            durable = upto
        except OSError as exc:
            broken = exc
        finally:
            with self._state:
                self._is_forcing, self._broken = False, self._broken or broken
                self._durable = max(self._durable, durable)
                self._state.notify_all()

    def close(self) -> None:
        """Close the file, which stays until `remove_journals`."""
        os.close(self._file)


def _describe(exc: OSError, path: Path) -> StorageFailed:
    return StorageFailed(
        f"the journal {path} cannot be written: {exc.strerror}",
        hint="free space or grant access there, or set PROVISIONING_HOME; then run again",
    )


def list_journals(folder: Path) -> list[Path]:
    """Return the journals of unrecorded runs, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(folder.glob("*.jsonl"), key=lambda path: (path.stat().st_mtime_ns, path.name))


def read_unfinished(paths: Sequence[Path]) -> list[Record]:
    """Return records of what the creations in the journals at *paths* may have left.

    Raises:
        JournalDamaged: If a line is no entry.
    """
    return [
        build_unfinished(intent) for path in paths for intent in find_creations(_read_intents(path))
    ]


def find_creations(intents: Iterable[Intent]) -> Iterator[Intent]:
    """Yield the intents that may have left a resource without a record."""
    return (intent for intent in intents if intent.action is Action.CREATE or intent.moved_from)


def build_unfinished(intent: Intent) -> Record:
    """Return the record of the resource that *intent* may have left.

    Raises:
        StateLogDamaged: If its attributes are nested too deep.
    """
    try:
        attributes = from_json(intent.attributes)
    except RecursionError as exc:
        raise StateLogDamaged(
            f"the intent of run {intent.run} for {intent.id} is nested too deep to read",
            hint="`provisioning fsck` names its commit",
        ) from exc
    return Record(
        id=intent.id,
        kind=intent.kind,
        provider=intent.provider,
        api_version=intent.api_version,
        provider_type=intent.provider_type,
        schema_version=intent.schema_version,
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
        if isinstance(entry, BegunOperation):
            intents[entry.intent.operation] = entry.intent
        elif entry.operation in intents:
            begun = intents[entry.operation]
            known = {**begun.attributes, HANDLE: None, **entry.attributes}
            known = {name: value for name, value in known.items() if name != HANDLE or value}
            intents[entry.operation] = msgspec.structs.replace(begun, attributes=known)
    yield from intents.values()


def read_entries(path: Path) -> Iterator[Entry]:
    """Yield the entries of the journal at *path* without a torn end.

    Raises:
        JournalDamaged: If a line is no entry.
    """
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines[:-1], start=1):
        try:
            yield _DECODER.decode(line)
        except UNDECODABLE as exc:
            raise JournalDamaged(
                f"this line of the journal is damaged: {exc}",
                hint=f"move {path} away: the state log and the ownership marks have the rest",
                source=Source(str(path), number),
            ) from exc


def remove_journals(paths: list[Path]) -> None:
    """Remove the journals of recorded runs."""
    for path in paths:
        path.unlink(missing_ok=True)

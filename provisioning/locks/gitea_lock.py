"""The state log's lock files, written through a forge's API instead of by a push.

Every file carries the id of the blob that was read, so the forge itself refuses a write that
comes too late; taking a lock raises `fence`, so a writer that read the log before is refused.
The commit is built here first, byte for byte as the forge will build it: its id proves that the
forge did so, and nothing has to be fetched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from provisioning.core.model.errors import (
    HeadMoved,
    ProvisioningError,
    RemoteRefused,
    RemoteUnreachable,
)
from provisioning.core.model.ids import CommitId
from provisioning.core.reviews.forge import Author, Contents, FileOperation, FileWrite
from provisioning.core.statelog.transitions import EntryKind, LogEntry, LogView
from provisioning.gitstore.objects.commits import EMAIL, clean_name
from provisioning.gitstore.statelog.git_statelog import GitStateLog

if TYPE_CHECKING:
    from provisioning.gitstore.repository.remote import Remote


class ContentsStateLog(GitStateLog):
    """The state log whose lock is written by *contents*; results are pushed to the remote."""

    def __init__(self, *arguments: object, contents: Contents, **more: object) -> None:
        super().__init__(*arguments, **more)  # type: ignore[arg-type]
        self._contents = contents

    def _publish(
        self, remote: Remote, view: LogView, commit: CommitId, entry: LogEntry, moment: float
    ) -> CommitId:
        """Write the entry by the forge; a log's first, and results, are pushed."""
        if view.head is None or entry.kind is EntryKind.RECORD:
            return super()._publish(remote, view, commit, entry, moment)
        branch = self._ref.removeprefix("refs/heads/")
        author = Author(clean_name(self._author), EMAIL, moment)
        writes = self._build_writes(view.head, entry.files)
        try:
            made = self._contents.change_files(branch, writes, entry.message, author)
        except (RemoteUnreachable, RemoteRefused, HeadMoved) as exc:
            return self._look_up(remote, view, commit, exc)
        if made != commit:
            remote.fetch(self._ref)
            if not self._is_made(view, commit, made):
                raise self._describe_moved(view)
        self._repository.follow(self._ref, made)
        return made

    def _build_writes(self, head: CommitId, files: Mapping[str, bytes | None]) -> list[FileWrite]:
        blobs = {item.name: item.id for item in self._repository.read_folder(head, "")}
        writes = []
        for path, content in files.items():
            blob = blobs.get(path, "")
            if content is None:
                writes += [FileWrite(FileOperation.DELETE, path, None, blob)] if blob else []
            else:
                operation = FileOperation.UPDATE if blob else FileOperation.CREATE
                writes.append(FileWrite(operation, path, content, blob))
        return writes

    def _look_up(
        self, remote: Remote, view: LogView, commit: CommitId, cause: ProvisioningError
    ) -> CommitId:
        """Find out the effect of a call that failed; return the commit that it made.

        A refusal is looked up, too: its text may be a new one for a lost race, and a proxy that
        sends a call twice turns our own success into "already exists".
        """
        try:
            remote.fetch(self._ref)
        except ProvisioningError as exc:
            if not isinstance(cause, RemoteUnreachable):
                raise cause from exc
            raise RemoteUnreachable(
                f"it is unknown whether {self._ref} was written: {cause.message}",
                hint="run again when the forge answers; nothing is lost",
            ) from exc
        there = self._repository.read_ref(self._ref)
        if there == view.head:
            raise cause
        if there is None or not self._is_made(view, commit, there):
            raise self._describe_moved(view) from cause
        return there

    def _is_made(self, view: LogView, commit: CommitId, made: CommitId) -> bool:
        """Tell whether *made* is our *commit*; it is another one where the forge signed it."""
        if made == commit:
            return True
        if not self._repository.has_object(made):
            return False
        parents = self._repository.read_commit(made).parents
        is_same = self._repository.find_id(made, "") == self._repository.find_id(commit, "")
        return parents == (view.head,) and is_same

    def _describe_moved(self, view: LogView) -> HeadMoved:
        return HeadMoved(f"{self._ref} is no longer at {(view.head or 'nothing')[:10]}")

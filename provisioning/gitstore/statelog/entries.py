"""Walks the entries of a state log quickly: their commit messages, without their files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from provisioning.core.model.errors import RepositoryUnusable
from provisioning.core.model.ids import CommitId
from provisioning.gitstore.objects.commits import parse_message
from provisioning.gitstore.repository.git_program import run_git

if TYPE_CHECKING:
    from provisioning.gitstore.repository.repository import Repository

PAGE, GROWTH, LARGEST = 200, 5, 25_000
"""Entries that the git program is asked for at once: at first, how much more each time, at most."""

FORMAT = "--format=%H%x00%P%x00%ct%x00%B%x1e"


class EntryHead(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a state log, as its commit tells it; `time` is seconds since the epoch.

    The message is taken apart when it is asked for: of ten thousand, few are.
    """

    id: CommitId
    parent: CommitId | None
    time: int
    message: str

    @property
    def subject(self) -> str:
        """The first line of the message."""
        return self.message.partition("\n")[0]

    @property
    def story(self) -> str:
        """The part of the subject after the colon."""
        return self.subject.partition(": ")[2]

    @property
    def trailers(self) -> Mapping[str, str]:
        """The trailers of the message."""
        return parse_message(self.message)[1]

    @property
    def is_record(self) -> bool:
        """Whether a run ended here."""
        return "\nResult: " in self.message

    @property
    def is_snapshot(self) -> bool:
        """Whether it stands for older entries, which are gone."""
        return "\nSnapshot-Of: " in self.message


def walk_entries(repository: Repository, head: CommitId | None) -> Iterator[EntryHead]:
    """Yield the entries from *head* back to the first, newest first, a page at a time."""
    page = PAGE
    while head is not None:
        answer = run_git(repository.folder, "log", "--first-parent", f"-{page}", FORMAT, head, "--")
        page = min(page * GROWTH, LARGEST)
        if answer.status:
            raise RepositoryUnusable(
                f"the history of {head[:10]} cannot be read: {answer.error}",
                hint="git fsck tells more",
            )
        head = None
        for line in answer.output.split("\x1e")[:-1]:
            entry = _parse(line.lstrip("\n"))
            yield entry
            head = entry.parent


def _parse(line: str) -> EntryHead:
    name, parents, time, message = line.split("\0", 3)
    return EntryHead(
        id=CommitId(name),
        parent=CommitId(parents.split()[0]) if parents else None,
        time=int(time),
        message=message,
    )

"""The protocols of a forge, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum, StrEnum
from typing import Protocol, TypeAlias

import msgspec

from provisioning.core.model.ids import CommitId

Token: TypeAlias = Callable[[], str]
"""Reads the current API token."""


class FileOperation(StrEnum):
    """The operation on a file."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


class FileWrite(msgspec.Struct, frozen=True):
    """One file of a commit; *blob* is the id of its old content, "" if it is new."""

    operation: FileOperation
    path: str
    content: bytes | None = None
    blob: str = ""


class Author(msgspec.Struct, frozen=True):
    """The author of a commit, and its time, in seconds since the epoch."""

    name: str
    email: str
    time: float


class Contents(Protocol):
    """A forge that writes files of a repository."""

    def change_files(
        self, branch: str, writes: Sequence[FileWrite], message: str, author: Author
    ) -> CommitId:
        """Write one commit to *branch*, if every file still has the content of its write's blob.

        Raises:
            HeadMoved: If one has not; nothing was written.
            RemoteRefused: If the forge refuses.
            RemoteUnreachable: If it is unknown whether it was written.
        """


class Permission(IntEnum):
    """The permission of a person in the repository; each includes those before it."""

    NONE = 0
    READ = 1
    WRITE = 2
    ADMIN = 3


class PullRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One pull request; `merged` is the commit on the base branch, None before the merge."""

    number: int
    author: str
    head: CommitId
    head_branch: str
    base_branch: str
    is_open: bool
    is_fork: bool
    url: str
    merged: CommitId | None = None
    merged_at: str = ""
    updated_at: str = ""
    body: str = ""
    labels: frozenset[str] = frozenset()

    @property
    def is_closed(self) -> bool:
        """Whether it was closed without a merge."""
        return not self.is_open and self.merged is None


class PullComment(msgspec.Struct, frozen=True, kw_only=True):
    """One comment of a pull request. Ids rise, and are shared with pushes: see `Push`.

    `is_edited`: its text is not, or may not be, the one that its author first wrote.
    """

    id: int
    author: str
    body: str
    url: str
    is_edited: bool = False


class Push(msgspec.Struct, frozen=True):
    """A push to a pull request's branch; its `id` orders it among the comments."""

    id: int
    head: CommitId


class State(StrEnum):
    """The state of a commit status."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"


class CommitStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One status of a commit; the newest of a *context* counts."""

    context: str
    state: State
    description: str
    url: str = ""


class Forge(Protocol):
    """The pull requests, comments, statuses and people of one repository at a forge.

    Every method raises `RemoteUnreachable` if the forge does not answer, and `RemoteRefused` if
    it refuses. Any thread may call.
    """

    def read_login(self) -> str:
        """Return the login of the token."""

    def read_pull(self, number: int) -> PullRequest:
        """Return one pull request."""

    def list_open_pulls(self) -> list[PullRequest]:
        """Return the open ones, oldest first."""

    def list_closed_pulls(self) -> list[PullRequest]:
        """Return the recently closed ones: first those not merged, then merges, oldest first."""

    def find_merged_pull(self, commit: CommitId) -> PullRequest | None:
        """Return the pull request whose merge made *commit*; None if none did."""

    def create_pull(self, head: str, base: str, title: str, body: str) -> None:
        """Open a pull request from the branch *head* to *base*.

        Raises:
            HeadMoved: If there is one already.
        """

    def update_pull(self, number: int, body: str) -> None:
        """Replace the text of a pull request."""

    def close_pull(self, number: int) -> None:
        """Close a pull request without merging it."""

    def list_comments(self, number: int) -> list[PullComment]:
        """Return the comments of a pull request, oldest first."""

    def list_pushes(self, number: int) -> list[Push]:
        """Return the pushes to a pull request, oldest first, with the one that opened it.

        A forge may note a push late: it may then seem younger than a comment made meanwhile,
        never older.
        """

    def create_comment(self, number: int, body: str) -> PullComment:
        """Comment on a pull request."""

    def update_comment(self, comment: int, body: str) -> None:
        """Replace a comment."""

    def delete_comment(self, comment: int) -> None:
        """Delete a comment."""

    def list_statuses(self, commit: CommitId) -> dict[str, CommitStatus]:
        """Return the newest status of each context."""

    def set_status(self, commit: CommitId, status: CommitStatus) -> None:
        """Set a status of a commit."""

    def read_permission(self, login: str) -> Permission:
        """Return the permission of *login*; a stranger has READ or NONE."""

    def count_approvals(self, number: int, head: CommitId) -> int:
        """Return how many people with the permission approve *head*."""

    def merge_pull(self, number: int, head: CommitId) -> None:
        """Merge a pull request whose branch is at *head*.

        Raises:
            HeadMoved: If the branch is elsewhere.
            RemoteRefused: If the branch's protection or a conflict forbids the merge.
        """

    def set_labels(self, number: int, labels: Mapping[str, bool]) -> None:
        """Add the *labels* that are true to a pull request, and remove those that are false."""

    def get_file_url(self, branch: str, path: str) -> str:
        """Return the address of the page of the file *path* on *branch*."""

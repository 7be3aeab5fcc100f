"""What is asked of a forge, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum, StrEnum
from typing import Protocol, TypeAlias

import msgspec

from provisioning.core.model.ids import CommitId

Token: TypeAlias = Callable[[], str]
"""Reads the token by which a forge knows us, as it is now."""


class FileOperation(StrEnum):
    """What is done with a file."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


class FileWrite(msgspec.Struct, frozen=True):
    """One file of a commit; *blob* is the id of what it was, "" if there was nothing."""

    operation: FileOperation
    path: str
    content: bytes | None = None
    blob: str = ""


class Author(msgspec.Struct, frozen=True):
    """Who writes a commit, and when, in seconds since the epoch."""

    name: str
    email: str
    time: float


class Contents(Protocol):
    """A forge that writes files of a repository."""

    def change_files(
        self, branch: str, writes: Sequence[FileWrite], message: str, author: Author
    ) -> CommitId:
        """Write one commit to *branch*, if every file still is what its write says.

        Raises:
            HeadMoved: If one is not; nothing was written.
            RemoteRefused: If the forge says no.
            RemoteUnreachable: If it is unknown whether it was written.
        """


class Permission(IntEnum):
    """What a person may do with the repository; each includes those before it."""

    NONE = 0
    READ = 1
    WRITE = 2
    ADMIN = 3


class PullRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One pull request. `merged` is the commit that the base branch got; None before it did."""

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
    """One comment of a pull request. Ids rise, and are shared with pushes: see `Push`."""

    id: int
    author: str
    body: str
    url: str


class Push(msgspec.Struct, frozen=True):
    """A push to a pull request's branch; `id` tells what was said before it and what after."""

    id: int
    head: CommitId


class State(StrEnum):
    """What a commit status says."""

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
    """A forge's pull requests, comments, statuses and people, of one repository.

    Every method raises `RemoteUnreachable` where the forge does not answer, and
    `RemoteRefused` where it says no. Any thread may call.
    """

    def read_login(self) -> str:
        """Return whose token is used."""

    def read_pull(self, number: int) -> PullRequest:
        """Return one pull request."""

    def list_open_pulls(self) -> list[PullRequest]:
        """Return the open ones, oldest first."""

    def list_closed_pulls(self) -> list[PullRequest]:
        """Return those closed of late: what was not merged, then merges, oldest first."""

    def create_pull(self, head: str, base: str, title: str, body: str) -> None:
        """Open a pull request from the branch *head* to *base*.

        Raises:
            HeadMoved: If there is one already.
        """

    def update_pull(self, number: int, body: str) -> None:
        """Write the text of a pull request anew."""

    def close_pull(self, number: int) -> None:
        """Close a pull request without merging it."""

    def list_comments(self, number: int) -> list[PullComment]:
        """Return the comments of a pull request, oldest first."""

    def list_pushes(self, number: int) -> list[Push]:
        """Return the pushes to a pull request, oldest first, that which opened it too.

        A forge may note one a while after it came: then it seems to be younger than what was
        said meanwhile, and never older.
        """

    def create_comment(self, number: int, body: str) -> PullComment:
        """Comment on a pull request."""

    def update_comment(self, comment: int, body: str) -> None:
        """Write a comment anew."""

    def delete_comment(self, comment: int) -> None:
        """Delete a comment."""

    def list_statuses(self, commit: CommitId) -> dict[str, CommitStatus]:
        """Return the newest status of each context."""

    def set_status(self, commit: CommitId, status: CommitStatus) -> None:
        """Set a status of a commit."""

    def read_permission(self, login: str) -> Permission:
        """Return what *login* may do; a stranger may read, or nothing."""

    def count_approvals(self, number: int, head: CommitId) -> int:
        """Return how many people who may approved *head* and did not take it back."""

    def merge_pull(self, number: int, head: CommitId) -> None:
        """Merge a pull request whose branch is at *head*.

        Raises:
            HeadMoved: If it is not.
            RemoteRefused: If the branch's protection or a conflict forbids it.
        """

    def set_labels(self, number: int, labels: Mapping[str, bool]) -> None:
        """Give a pull request the *labels* that are true, and take those that are false."""

    def get_file_url(self, branch: str, path: str) -> str:
        """Return the address at which people read the file at *path* of *branch*."""

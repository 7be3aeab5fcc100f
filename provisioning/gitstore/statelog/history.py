"""Reads a state log's history, each of its objects once however many entries share it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from provisioning.core.model.errors import StateLogDamaged
from provisioning.core.model.ids import CommitId
from provisioning.core.statelog.fsck import LogCommit
from provisioning.core.statelog.transitions import FILES, LogView, parse_view
from provisioning.gitstore.objects.commits import FolderEntry

if TYPE_CHECKING:
    from provisioning.gitstore.repository.repository import Repository

Top = Mapping[str, FolderEntry]
"""The entries at the top of one commit, by name."""


def read_log_commits(
    repository: Repository, head: CommitId, limit: int | None = None
) -> Iterator[LogCommit]:
    """Yield the entries of the state log at *head*, newest first, as far as *limit*.

    Each is compared with its first parent, so that no message has to be trusted.
    """
    known: dict[str, bytes] = {}
    above: Top | None = None
    for commit in repository.read_history(head, limit):
        after = _read_top(repository, commit.id) if above is None else above
        above = before = _read_top(repository, commit.parents[0]) if commit.parents else {}
        known = {
            item.id: known[item.id] if item.id in known else repository.read_blob(item.id, name)
            for name, item in after.items()
            if name in FILES and item.is_file
        }
        view, damage = LogView(head=commit.id), ""
        try:
            view = build_view(commit.id, after, known)
        except StateLogDamaged as exc:
            damage = exc.message
        yield LogCommit(
            id=commit.id,
            parents=commit.parents,
            time=commit.time,
            subject=commit.subject,
            trailers=commit.trailers,
            changed=frozenset(
                name for name in {*before, *after} if before.get(name) != after.get(name)
            ),
            view=view,
            damage=damage,
        )


def _read_top(repository: Repository, commit: CommitId) -> Top:
    return {item.name: item for item in repository.read_folder(commit, "")}


def build_view(head: CommitId, top: Top, blobs: Mapping[str, bytes]) -> LogView:
    """Build the view of *head* from the entries at its *top* and the content of its *blobs*.

    Raises:
        StateLogDamaged: If a file is of no known format.
    """
    files = {name: blobs[top[name].id] for name in FILES if name in top and top[name].is_file}
    return parse_view(head, files)


def read_view(repository: Repository, head: CommitId | None) -> LogView:
    """Read the state log as it stands at *head*.

    Raises:
        StateLogDamaged: If a file is of no known format.
    """
    if head is None:
        return LogView()
    top = _read_top(repository, head)
    wanted = [(name, top[name]) for name in FILES if name in top and top[name].is_file]
    blobs = {item.id: repository.read_blob(item.id, name) for name, item in wanted}
    return build_view(head, top, blobs)

"""A Git repository: read without a work tree, written without changing the user's files."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from provisioning.core.model.errors import (
    HeadMoved,
    InvalidManifest,
    RepositoryUnusable,
    Source,
    StorageFailed,
)
from provisioning.core.model.ids import CommitId
from provisioning.core.policy.review_records import REVIEWS
from provisioning.core.statelog.transitions import OURS
from provisioning.gitstore.objects import tree_walk
from provisioning.gitstore.objects.changed_trees import FOLDER, add_tree
from provisioning.gitstore.objects.commits import (
    EMAIL,
    Commit,
    FileChange,
    FolderEntry,
    TreeFile,
    clean_name,
    parse_message,
    render_commit,
)
from provisioning.gitstore.objects.loose_refs import (
    UNSURE,
    find_plain_repository,
    list_loose_refs,
    read_loose_ref,
    write_loose_ref,
)
from provisioning.gitstore.objects.object_files import TreeEntry
from provisioning.gitstore.objects.object_store import ObjectStore, read_object
from provisioning.gitstore.objects.object_writer import ObjectWriter
from provisioning.gitstore.repository.git_program import GitResult, run_git
from provisioning.gitstore.repository.libgit2 import build_unusable_error, open_git
from provisioning.gitstore.repository.merge import Merge, merge_commits
from provisioning.gitstore.repository.ref_locks import LockWatch, claim, find_shared
from provisioning.gitstore.repository.rewrite import write_history

NO_COMMIT = "0" * 40

MOVED = re.compile(r"but expected|reference already exists")
"""The messages of git about a ref that has moved; a stale lock file gives others."""

MAX_ATTEMPTS = 5
"""Writes of one ref that are tried while a lock file blocks them."""

FILE_LIMIT = 16 * 2**20
"""Bytes of the largest file that is read."""


class Repository:
    """One repository; every method may be called from any thread."""

    def __init__(self, folder: Path, work_tree: Path | None = None) -> None:
        self.folder = folder
        self._shared = find_shared(folder)
        self._work_tree = work_tree
        self._local = threading.local()
        self._store = ObjectStore(self._shared, lambda: self._git)

    @property
    def _git(self) -> Any:
        """The repository of libgit2, one for each thread."""
        if not hasattr(self._local, "git"):
            self._local.git = open_git(self.folder)
        return self._local.git

    def open(self) -> None:
        """Make sure that libgit2 can read it.

        Raises:
            RepositoryUnusable: If not.
        """
        self._git.references.get("HEAD")

    def read_ref(self, name: str) -> CommitId | None:
        """Return the commit that *name*, a full ref name, points to; None if there is none."""
        there = read_loose_ref(self._shared, name) if name.startswith("refs/") else UNSURE
        if there is None or (there != UNSURE and self._store.is_commit(there)):
            return CommitId(there) if there else None
        import pygit2

        try:
            reference = self._git.references.get(name)
            return CommitId(str(reference.resolve().peel().id)) if reference else None
        except KeyError as exc:
            if name == "HEAD" and self._git.head_is_unborn:
                return None
            raise build_unusable_error(self.folder, str(exc)) from exc
        except pygit2.GitError as exc:
            raise build_unusable_error(self.folder, str(exc)) from exc

    @property
    def work_tree(self) -> Path | None:
        """The folder of the user's files; None for a bare repository."""
        if self._work_tree is not None:
            return self._work_tree
        return Path(self._git.workdir).resolve() if self._git.workdir else None

    def list_refs(self, prefix: str) -> list[str]:
        """Return the full names of the refs that begin with *prefix*."""
        plain = list_loose_refs(self._shared, prefix)
        if plain is not None:
            return plain
        return [name for name in self._git.references if name.startswith(prefix)]

    def list_uncommitted(self, folder: Path, below: Sequence[str]) -> list[str]:
        """Return the files of the work tree below *folder* that differ from HEAD, *below* only."""
        if self.work_tree is None:
            return []
        arguments = ("status", "--porcelain", "--untracked-files=all", "--no-renames", "-z", "--")
        paths = [str(folder / name) for name in below]
        tree = f"--work-tree={self.work_tree}"
        answer = run_git(self.folder, tree, *arguments, *paths)
        return [line[3:] for line in answer.output.split("\0") if line]

    def read_commit(self, commit: CommitId) -> Commit:
        """Return one commit."""
        found = self._get_commit(commit)
        subject, trailers = parse_message(found.message)
        return Commit(
            id=commit,
            parents=tuple(CommitId(str(parent_id)) for parent_id in found.parent_ids),
            subject=subject,
            trailers=trailers,
            author=found.author.name,
            time=found.author.time,
        )

    def read_history(self, head: CommitId, limit: int | None = None) -> Iterator[Commit]:
        """Yield *head* and its first parents, newest first."""
        commit: CommitId | None = head
        while commit is not None and limit != 0:
            found = self.read_commit(commit)
            yield found
            commit = found.parents[0] if found.parents else None
            limit = None if limit is None else limit - 1

    def is_ancestor(self, old: CommitId, new: CommitId) -> bool:
        """Tell whether *new* is *old* or follows it.

        Raises:
            RepositoryUnusable: If the clone is too shallow to know.
        """
        if old == new:
            return True
        self._check_commit(new)
        if old in self._store.read_parents_of(new):
            return True
        if self.has_object(old) and self._follows(new, old):
            return True
        if self._git.is_shallow:
            raise RepositoryUnusable(
                f"the clone is too shallow to know if {new[:10]} follows {old[:10]}",
                hint="git fetch --unshallow",
            )
        return False

    def _follows(self, new: CommitId, old: CommitId) -> bool:
        import pygit2

        try:
            return bool(self._git.descendant_of(new, old))
        except (KeyError, pygit2.GitError) as exc:
            raise build_unusable_error(self.folder, str(exc)) from exc

    def _get_commit(self, commit: CommitId) -> Any:
        self._check_commit(commit)
        return read_object(self._git, commit)

    def _check_commit(self, commit: CommitId) -> None:
        if not self.has_object(commit):
            raise RepositoryUnusable(
                f"commit {commit[:10]} is not in {self.folder}",
                hint="git fetch --unshallow" if self._git.is_shallow else "run git fsck",
            )

    def _find(self, commit: CommitId, path: str) -> TreeEntry | None:
        """Return the entry at *path*; None if there is none. A damaged one raises."""
        self._check_commit(commit)
        found = TreeEntry("", self._store.read_tree_of(commit), FOLDER)
        walked = ""
        for name in filter(None, path.split("/")):
            entries = self._store.read_tree(found.id, walked[1:]) if found.mode == FOLDER else []
            below = next((entry for entry in entries if entry.name == name), None)
            if below is None or below.mode == tree_walk.SUBMODULE:
                return None
            walked += f"/{name}"
            found = below
        return found

    def read_folder(self, commit: CommitId, path: str) -> list[FolderEntry]:
        """Return the entries of the folder at *path* ("" for the root); none if it is no folder."""
        found = self._find(commit, path)
        if found is None or found.mode != FOLDER:
            return []
        return self.read_tree(found.id, path)

    def read_tree(self, tree: str, path: str = "") -> list[FolderEntry]:
        """Return the entries of the tree with the id *tree*; *path* is for the error."""
        return [
            FolderEntry(entry.name, entry.id, entry.mode == FOLDER, entry.mode in tree_walk.FILES)
            for entry in self._store.read_tree(tree, path)
        ]

    def find_id(self, commit: CommitId, path: str) -> str | None:
        """Return the id of the entry at *path*; None if there is none."""
        found = self._find(commit, path)
        return found.id if found is not None else None

    def read_blob(self, blob: str, path: str = "") -> bytes:
        """Return a blob's bytes; *path* is for the error.

        Raises:
            InvalidManifest: If it is larger than `FILE_LIMIT`.
        """
        found = self._store.read_blob(blob, path, FILE_LIMIT)
        if isinstance(found, int):
            raise InvalidManifest(
                f"{path or blob} has {found} bytes; at most {FILE_LIMIT} are read",
                hint="keep large content out of Git, or split it",
                source=Source(path, 1) if path else None,
            )
        return found

    def read_file(self, commit: CommitId, path: str) -> bytes | None:
        """Return the file at *path*; None if there is no plain file.

        Raises:
            InvalidManifest: If it is larger than `FILE_LIMIT`.
        """
        found = self._find(commit, path)
        if found is None or found.mode in {FOLDER, tree_walk.LINK}:
            return None
        return self.read_blob(found.id, path)

    def walk_files(self, tree: str) -> Iterator[TreeFile]:
        """Yield every file below the tree with the id *tree*; see `tree_walk.walk_files`."""
        return tree_walk.walk_files(self._store, tree)

    def walk_changes(self, before: str | None, after: str | None) -> Iterator[FileChange]:
        """Yield every path that differs between two trees; see `tree_walk.walk_changes`."""
        known = before if before and self.has_object(before) else None
        return tree_walk.walk_changes(self._store, known, after)

    def walk_all_changes(self) -> Iterator[tuple[CommitId, FileChange]]:
        """Yield every file that any commit of any ref changed, with the commit."""
        import pygit2

        git = self._git
        walker = git.walk(None, pygit2.enums.SortMode.TOPOLOGICAL)
        for name in git.references:
            walker.push(git.references[name].resolve().peel(pygit2.Commit).id)
        for commit in walker:
            before = str(commit.parents[0].tree_id) if commit.parents else None
            for change in tree_walk.walk_changes(self._store, before, str(commit.tree_id)):
                yield CommitId(str(commit.id)), change

    def has_object(self, name: str) -> bool:
        """Tell whether the object with the id *name* is here."""
        return self._store.has(name)

    def write_commit(
        self,
        parent: CommitId | None,
        changes: Mapping[str, bytes | None],
        message: str,
        author: str,
        time: float,
    ) -> CommitId:
        """Write a commit on top of *parent*; its objects are on disk, and no ref points to it.

        Args:
            parent: Its parent; None for the first commit of a branch.
            changes: The content of each path that changes, None to remove it.
            message: The whole message.
            author: The name of the author; characters that Git refuses are left out.
            time: Seconds since the epoch.

        Raises:
            StorageFailed: If the disk fails.
        """
        base = self.find_id(parent, "") if parent else None
        new = ObjectWriter(self._shared / "objects")
        tree = add_tree(self._store, new, base, changes)
        who = f"{clean_name(author)} <{EMAIL}> {int(time)} +0000"
        commit = new.add("commit", render_commit(tree, parent, who, message))
        try:
            new.write()
        except OSError as exc:
            raise StorageFailed(
                f"{self.folder} cannot be written: {exc.strerror}",
                hint="free space or grant access",
            ) from exc
        return CommitId(commit)

    def write_history(
        self,
        base: CommitId,
        message: str,
        following: Sequence[CommitId],
        files: Mapping[str, bytes],
    ) -> CommitId:
        """Write a new history to which no ref points; return its newest commit.

        Args:
            base: The commit whose tree and time the first commit gets.
            message: The message of the first commit.
            following: The commits to copy after it, oldest first.
            files: Files to add to each of them.

        Raises:
            StorageFailed: If the disk fails.
        """
        return write_history(self._git, self.folder, base, message, following, files)

    def merge(self, base: CommitId, head: CommitId) -> Merge:
        """Merge *head* into *base*; no ref points to the result. See `merge.merge_commits`."""
        return merge_commits(self._git, base, head)

    def update_ref(self, name: str, new: CommitId, old: CommitId | None) -> None:
        """Point *name* to *new* if it points to *old* (None: if it does not exist).

        Raises:
            HeadMoved: If it points elsewhere.
            StorageFailed: If it cannot be written.
        """
        if not name.startswith((OURS, REVIEWS)):
            raise AssertionError(f"{name} is not ours to write")
        answer = self._write_ref(name, new, old or NO_COMMIT)
        if answer.status == 0:
            return
        if self.read_ref(name) != old or MOVED.search(answer.error):
            raise HeadMoved(f"{name} is no longer at {(old or NO_COMMIT)[:10]}")
        if "exists; cannot create" in answer.error:
            raise RepositoryUnusable(
                f"{name} cannot be written: {answer.error}",
                hint=f"git branch -m {OURS.split('/')[2]} ANOTHER-NAME",
            )
        raise StorageFailed(f"{name} cannot be written: {answer.error}", hint="run git fsck")

    def follow(self, name: str, new: CommitId) -> None:
        """Point *name* in a mirror to *new*, as the remote does; a fetch in progress may win."""
        with suppress(OSError):
            write_loose_ref(self._shared, name, new)

    def unfollow(self, name: str) -> None:
        """Delete *name* in a mirror, as the remote has none."""
        import pygit2

        with suppress(KeyError, pygit2.GitError, OSError):
            self._git.references.delete(name)

    def _write_ref(self, name: str, new: str, old: str) -> GitResult:
        """Write the ref; retry where a stale lock file blocks it."""
        watch = LockWatch(self._shared / OURS)
        with claim(self._shared) as handle:
            for _ in range(MAX_ATTEMPTS):
                answer = run_git(self.folder, "update-ref", name, new, old, inherits=(handle,))
                if answer.status == 0 or not watch.is_blocked(answer.error):
                    break
        return answer


def open_repository(path: Path) -> Repository:
    """Open the repository of *path*, a work tree, a bare folder, or a folder below one.

    Raises:
        RepositoryUnusable: If there is none, or its format is not supported.
    """
    plain = find_plain_repository(path)
    if plain is not None:
        return Repository(plain, plain.parent)
    import pygit2

    try:
        folder = pygit2.discover_repository(str(path))
    except pygit2.GitError as exc:
        raise build_unusable_error(path, str(exc)) from exc
    if folder is None:
        raise RepositoryUnusable(f"{path} is not in a Git repository", hint=f"git init {path}")
    repository = Repository(Path(folder))
    repository.open()
    return repository

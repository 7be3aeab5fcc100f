"""An in-memory forge: pull requests of one repository, and the people around them."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import reduce
from itertools import count
from urllib.parse import quote

import msgspec
from msgspec.structs import replace

from provisioning.core.model.errors import HeadMoved, RemoteRefused, RemoteUnreachable
from provisioning.core.model.ids import CommitId
from provisioning.core.reviews.forge import CommitStatus, Permission, PullComment, PullRequest, Push

URL = "https://forge.example.org/ops/shop"


class Tree(msgspec.Struct, frozen=True):
    """The files of a commit, and the commits that it follows."""

    files: Mapping[str, str]
    parents: tuple[CommitId, ...] = ()


class ForgeReview(msgspec.Struct, frozen=True):
    """The review of a commit by *login*."""

    login: str
    head: CommitId
    approves: bool


@dataclass(slots=True)
class Thread:
    """A pull request as it is now, and all that was said and pushed; *branch* is its own."""

    pull: PullRequest
    branch: str
    comments: list[PullComment] = field(default_factory=list)
    pushes: list[Push] = field(default_factory=list)
    violations: list[ForgeReview] = field(default_factory=list)


class MemoryHub:
    """A repository and its people, who speak to it by a `MemoryForge` each. Thread-safe.

    See `provisioning.testing.suites.Hub`. It holds one commit on its base branch.
    """

    base = "main"
    owner = "ops"
    writers = ("ana", "ben")
    stranger = "eve"

    def __init__(self, labels: tuple[str, ...] = ()) -> None:
        self.rights = {self.owner: Permission.ADMIN, self.stranger: Permission.READ}
        self.rights |= dict.fromkeys(self.writers, Permission.WRITE)
        self.labels = frozenset(labels)
        self.approvals = 0
        self.threads: dict[int, Thread] = {}
        self.statuses: dict[CommitId, dict[str, CommitStatus]] = {}
        self.mutex = threading.RLock()
        self.ids = count(1)
        self._trees: dict[CommitId, Tree] = {}
        self._branches = {self.base: self._store(Tree({"README.md": "shop\n"}))}

    def build_forge(self, login: str) -> MemoryForge:
        """Build the forge as *login* speaks to it."""
        return MemoryForge(self, login)

    def build_unknown(self) -> MemoryForge:
        """Build one whose token nobody has."""
        return MemoryForge(self, None)

    def build_cut_off(self) -> MemoryForge:
        """Build one that gets no answer."""
        forge = MemoryForge(self, self.owner)
        forge.is_cut_off = True
        return forge

    def close(self) -> None:
        """Nothing is open."""

    # Git

    def read_head(self, branch: str) -> CommitId:
        """Return the newest commit of *branch*; one of a fork is `login:branch`."""
        return self._branches[branch]

    def push(self, branch: str, path: str, text: str) -> CommitId:
        """Commit a file on *branch*, begun from the base branch where there is none yet."""
        with self.mutex:
            head = self._branches.get(branch, self._branches[self.base])
            files = {**self._trees[head].files, path: text}
            return self.move(branch, self._store(Tree(files, (head,))))

    def fork(self, branch: str, path: str, text: str) -> str:
        """Commit a file on *branch* of the stranger's fork; return how `create_pull` names it."""
        name = f"{self.stranger}:{branch}"
        self.push(name, path, text)
        return name

    def move(self, branch: str, head: CommitId) -> CommitId:
        """Let *branch* be at *head*, and its open pull request with it."""
        self._branches[branch] = head
        for thread in self.threads.values():
            if thread.branch == branch and thread.pull.is_open:
                thread.pull = replace(thread.pull, head=head)
                thread.pushes.append(Push(next(self.ids), head))
        return head

    def merge(self, base: CommitId, head: CommitId) -> CommitId | None:
        """Merge two commits file by file; None if both changed the same one."""
        above = set(self._walk(base))
        root = next(item for item in self._walk(head) if item in above)
        before, ours, theirs = (dict(self._trees[item].files) for item in (root, base, head))
        new = {path: text for path, text in theirs.items() if text != before.get(path)}
        moved = {path for path, text in ours.items() if text != before.get(path)}
        if any(path in moved and ours[path] != text for path, text in new.items()):
            return None
        return self._store(Tree({**ours, **new}, (base, head)))

    def _walk(self, commit: CommitId) -> Iterator[CommitId]:
        queue = [commit]
        while queue:
            newest = queue.pop(0)
            yield newest
            queue += self._trees[newest].parents

    def _store(self, tree: Tree) -> CommitId:
        content = repr((sorted(tree.files.items()), tree.parents)).encode()
        name = CommitId(hashlib.sha1(content, usedforsecurity=False).hexdigest())
        self._trees[name] = tree
        return name

    # People

    def judge(self, number: int, login: str, *, approves: bool) -> None:
        """Approve a pull request as it is, or ask for changes."""
        thread = self.threads[number]
        thread.violations.append(ForgeReview(login, thread.pull.head, approves))

    def protect(self, approvals: int) -> None:
        """Let the base branch take only what so many people have approved."""
        self.approvals = approvals


class MemoryForge:
    """See `provisioning.core.reviews.forge.Forge`: *hub* as *login* speaks to it.

    *login* is None for a token that nobody has. While `is_cut_off`, nothing is answered.
    """

    def __init__(self, hub: MemoryHub, login: str | None) -> None:
        self.is_cut_off = False
        self._hub = hub
        self._name = login

    @contextmanager
    def _enter(self, least: Permission = Permission.NONE, author: str = "") -> Iterator[str]:
        """Let in who has *least*, or is the *author*; nobody else is let in meanwhile."""
        if self.is_cut_off:
            raise RemoteUnreachable(f"{URL} does not answer", hint="run again when it does")
        if self._name is None:
            raise RemoteRefused(f"{URL}: the token is unknown", hint="make a new one")
        with self._hub.mutex:
            right = self._hub.rights.get(self._name, Permission.READ)
            if right < least and self._name != author:
                raise RemoteRefused(f"{URL}: {self._name} may not do that", hint="ask who may")
            yield self._name

    def _find(self, number: int) -> Thread:
        thread = self._hub.threads.get(number)
        if thread is None:
            raise RemoteRefused(f"{URL}: there is no #{number}", hint="which one is it?")
        return thread

    def read_login(self) -> str:
        with self._enter() as login:
            return login

    # Pull requests

    def read_pull(self, number: int) -> PullRequest:
        with self._enter():
            return self._find(number).pull

    def list_open_pulls(self) -> list[PullRequest]:
        with self._enter():
            return [thread.pull for thread in self._hub.threads.values() if thread.pull.is_open]

    def list_closed_pulls(self) -> list[PullRequest]:
        with self._enter():
            pulls = (
                thread.pull for thread in self._hub.threads.values() if not thread.pull.is_open
            )
            return sorted(pulls, key=lambda each: (each.merged_at, each.number))

    def find_merged_pull(self, commit: CommitId) -> PullRequest | None:
        pulls = (pull for pull in self.list_closed_pulls() if pull.merged == commit)
        return next(pulls, None)

    def create_pull(self, head: str, base: str, title: str, body: str) -> None:
        del title  # no method returns it
        with self._enter() as author:
            threads = self._hub.threads
            if any(thread.branch == head and thread.pull.is_open for thread in threads.values()):
                raise HeadMoved(f"{head} has a pull request already")
            number = next(self._hub.ids)
            pull = PullRequest(
                number=number,
                author=author,
                head=self._hub.read_head(head),
                head_branch=head.rpartition(":")[2],
                base_branch=base,
                is_open=True,
                is_fork=":" in head,
                url=f"{URL}/pulls/{number}",
                body=body,
            )
            pushes = [Push(next(self._hub.ids), pull.head)]
            threads[number] = Thread(pull, head, pushes=pushes)

    def update_pull(self, number: int, body: str) -> None:
        self._change(number, body=body)

    def close_pull(self, number: int) -> None:
        self._change(number, is_open=False)

    def _change(self, number: int, **fields: object) -> None:
        author = self.read_pull(number).author
        with self._enter(Permission.WRITE, author):
            thread = self._find(number)
            thread.pull = replace(thread.pull, **fields)

    def count_approvals(self, number: int, head: CommitId) -> int:
        with self._enter():
            return self._count(self._find(number), head)

    def _count(self, thread: Thread, head: CommitId) -> int:
        newest = {
            violation.login: violation
            for violation in thread.violations
            if self._may_write(violation.login)
        }
        is_there = head == thread.pull.head
        return sum(is_there and item.approves and item.head == head for item in newest.values())

    def _may_write(self, login: str) -> bool:
        return self._hub.rights.get(login, Permission.READ) >= Permission.WRITE

    def merge_pull(self, number: int, head: CommitId) -> None:
        with self._enter(Permission.WRITE):
            hub, thread = self._hub, self._find(number)
            pull = thread.pull
            if pull.head != head:
                raise HeadMoved(f"#{number} is no longer at {head[:10]}")
            if not pull.is_open or self._count(thread, head) < hub.approvals:
                raise RemoteRefused(f"#{number} cannot be merged", hint="is it open, and approved?")
            made = hub.merge(hub.read_head(pull.base_branch), head)
            if made is None:
                raise RemoteRefused(f"#{number} conflicts", hint="rebase it")
            hub.move(pull.base_branch, made)
            moment = f"{next(hub.ids):010}"
            thread.pull = replace(pull, is_open=False, merged=made, merged_at=moment)

    # Comments

    def list_comments(self, number: int) -> list[PullComment]:
        with self._enter():
            return list(self._find(number).comments)

    def list_pushes(self, number: int) -> list[Push]:
        with self._enter():
            return list(self._find(number).pushes)

    def create_comment(self, number: int, body: str) -> PullComment:
        with self._enter() as author:
            thread, name = self._find(number), next(self._hub.ids)
            url = f"{thread.pull.url}#{name}"
            comment = PullComment(id=name, author=author, body=body, url=url)
            thread.comments.append(comment)
            return comment

    def update_comment(self, comment: int, body: str) -> None:
        with self._own(comment) as (comments, place):
            comments[place] = replace(comments[place], body=body, is_edited=True)

    def delete_comment(self, comment: int) -> None:
        if self._locate(comment) is not None:
            with self._own(comment) as (comments, place):
                del comments[place]

    @contextmanager
    def _own(self, comment: int) -> Iterator[tuple[list[PullComment], int]]:
        found = self._locate(comment)
        if found is None:
            raise RemoteRefused(f"{URL}: there is no comment {comment}", hint="list them")
        with self._enter(Permission.WRITE, found[0][found[1]].author):
            yield found

    def _locate(self, comment: int) -> tuple[list[PullComment], int] | None:
        with self._enter():
            for thread in self._hub.threads.values():
                for place, item in enumerate(thread.comments):
                    if item.id == comment:
                        return thread.comments, place
        return None

    # Statuses and labels

    def list_statuses(self, commit: CommitId) -> dict[str, CommitStatus]:
        with self._enter():
            return dict(self._hub.statuses.get(commit, {}))

    def set_status(self, commit: CommitId, status: CommitStatus) -> None:
        with self._enter(Permission.WRITE):
            self._hub.statuses.setdefault(commit, {})[status.context] = status

    def set_labels(self, number: int, labels: Mapping[str, bool]) -> None:
        with self._enter(Permission.WRITE):
            thread = self._find(number)
            known = {name: is_on for name, is_on in labels.items() if name in self._hub.labels}
            new = reduce(_set_label, known.items(), thread.pull.labels)
            thread.pull = replace(thread.pull, labels=new)

    # People and places

    def read_permission(self, login: str) -> Permission:
        with self._enter():
            return self._hub.rights.get(login, Permission.NONE)

    def get_file_url(self, branch: str, path: str) -> str:
        return f"{URL}/src/branch/{quote(branch)}/{quote(path)}"


def _set_label(labels: frozenset[str], change: tuple[str, bool]) -> frozenset[str]:
    name, is_on = change
    return labels | {name} if is_on else labels - {name}

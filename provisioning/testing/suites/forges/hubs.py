"""Where the tests of a forge stand: a repository there, and its people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from provisioning.core.model.errors import ProvisioningError
from provisioning.core.model.ids import CommitId
from provisioning.core.reviews.forge import Forge
from provisioning.testing.suites.cases import expect

LABEL = "suite"
"""A label that the repository of every hub has."""


class Hub(Protocol):
    """A repository of its own at a forge, which holds one commit and no pull request.

    `owner` administers it, each of `writers` may write to it, and `stranger` may not.
    """

    base: str
    owner: str
    writers: tuple[str, str]
    stranger: str

    def build_forge(self, login: str) -> Forge:
        """Build the forge as *login* speaks to it."""

    def build_unknown(self) -> Forge:
        """Build one whose token the forge does not know."""

    def build_cut_off(self) -> Forge:
        """Build one that gets no answer."""

    def read_head(self, branch: str) -> CommitId:
        """Return the newest commit of *branch*."""

    def push(self, branch: str, path: str, text: str) -> CommitId:
        """Commit a file on *branch*, begun from the base branch where there is none yet."""

    def fork(self, branch: str, path: str, text: str) -> str:
        """Commit a file on *branch* of the stranger's fork; return how `create_pull` names it."""

    def judge(self, number: int, login: str, *, approves: bool) -> None:
        """Approve a pull request, or ask for changes."""

    def protect(self, approvals: int) -> None:
        """Let the base branch take only what so many people have approved."""

    def close(self) -> None:
        """Give back what was opened."""


class HubStage:
    """Builds hubs for the tests of a suite, and closes them."""

    def build_hub(self) -> Hub:
        """Build a hub whose repository has the label `LABEL`; each has one of its own."""
        raise NotImplementedError

    def setup_method(self) -> None:
        """Begin with nothing to close."""
        self._hubs: list[Hub] = []

    def teardown_method(self) -> None:
        """Close what the test opened."""
        for hub in self._hubs:
            hub.close()

    def start(self) -> tuple[Hub, Forge]:
        """Return a new hub, and the forge as its owner speaks to it."""
        hub = self.build_hub()
        self._hubs.append(hub)
        return hub, hub.build_forge(hub.owner)

    def start_with_pull(self, path: str = "") -> tuple[Hub, Forge, int]:
        """Return the same, and the number of a pull request that writes a file at *path*."""
        hub, forge = self.start()
        return hub, forge, open_pull(hub, forge, path=path)


def open_pull(hub: Hub, forge: Forge, branch: str = "topic", path: str = "") -> int:
    """Open a pull request that writes a file at *path*; return its number."""
    hub.push(branch, path or f"{branch}.txt", f"{branch}\n")
    forge.create_pull(branch, hub.base, f"Change by {branch}", "Why.\n")
    return find_pull(forge, branch)


def find_pull(forge: Forge, branch: str) -> int:
    """Return the number of the open pull request from *branch*."""
    found = [pull.number for pull in forge.list_open_pulls() if pull.head_branch == branch]
    expect(len(found) == 1, f"there is one open pull request from {branch}", found)
    return found[0]


@contextmanager
def expect_error(kind: type[ProvisioningError], rule: str) -> Iterator[None]:
    """Blame the forge unless the block ends in *kind*."""
    got = "no error"
    try:
        yield
    except kind:
        return
    except ProvisioningError as exc:
        got = repr(exc)
    raise AssertionError(f"{rule} is to raise {kind.__name__}; got {got}")

"""Proposes a commit as a pull request, once."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from provisioning.core.model.errors import RemoteRefused
from provisioning.core.model.ids import CommitId
from provisioning.core.reviews.forge import Forge, PullRequest

SHORT = 10


class Proposer(msgspec.Struct, frozen=True, kw_only=True):
    """Opens pull requests to *branch*.

    Args:
        forge: Has them.
        publish: Moves a branch of the remote, by its full name, to a commit.
        branch: The branch that desired state is read from.
    """

    forge: Forge
    publish: Callable[[str, CommitId], None]
    branch: str

    def find(self, trailer: str) -> PullRequest | None:
        """Return the open pull request whose text has the line *trailer*, if there is one."""
        return next((item for item in self._list() if trailer in item.body.splitlines()), None)

    def propose(self, name: str, commit: CommitId, message: str) -> PullRequest:
        """Publish *commit* on a branch called after *name*, and open a pull request for it.

        Cut off in between, a branch without a pull request is left, which changes nothing.

        Raises:
            RemoteRefused: If the forge says no.
            RemoteUnreachable: If it does not answer.
        """
        head = f"{name}-{commit[:SHORT]}"
        self.publish(f"refs/heads/{head}", commit)
        title, _, body = message.partition("\n")
        self.forge.create_pull(head, self.branch, title, body.strip())
        found = next((item for item in self._list() if item.head_branch == head), None)
        if found is None:
            raise RemoteRefused(
                f"the forge took the pull request of {head}, and does not list it",
                hint="look at its pull requests",
            )
        return found

    def _list(self) -> list[PullRequest]:
        pulls = self.forge.list_open_pulls()
        return [pull for pull in pulls if pull.base_branch == self.branch]

"""Proposes a commit as a pull request."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from provisioning.core.model.errors import RemoteRefused
from provisioning.core.model.ids import CommitId
from provisioning.core.reviews.forge import Forge, PullRequest

SHORT = 10


class Proposer(msgspec.Struct, frozen=True, kw_only=True):
    """Opens pull requests to *branch*; *publish* moves a branch of the remote, by its full name."""

    forge: Forge
    publish: Callable[[str, CommitId], None]
    branch: str

    def find(self, trailer: str) -> PullRequest | None:
        """Return the open pull request whose text has the line *trailer*, if there is one."""
        return next((pull for pull in self._list() if trailer in pull.body.splitlines()), None)

    def propose(self, name: str, commit: CommitId, message: str) -> PullRequest:
        """Publish *commit* on a branch named after *name*, and open a pull request for it.

        An interruption leaves a branch without a pull request, which has no effect.

        Raises:
            RemoteRefused: If the forge refuses.
            RemoteUnreachable: If it does not answer.
        """
        head = f"{name}-{commit[:SHORT]}"
        self.publish(f"refs/heads/{head}", commit)
        title, _, body = message.partition("\n")
        self.forge.create_pull(head, self.branch, title, body.strip())
        found = next((pull for pull in self._list() if pull.head_branch == head), None)
        if found is None:
            raise RemoteRefused(
                f"the forge accepted the pull request of {head}, and does not list it",
                hint="see the pull requests at the forge",
            )
        return found

    def _list(self) -> list[PullRequest]:
        pulls = self.forge.list_open_pulls()
        return [pull for pull in pulls if pull.base_branch == self.branch]

"""Gitea's files: commits that are written through its API.

The calls are those of `/api/swagger` of Gitea 1.26.
"""

from __future__ import annotations

import base64
import http
import re
from collections.abc import Sequence
from datetime import UTC, datetime

from provisioning.core.model.errors import (
    HeadMoved,
    RemoteRefused,
    RemoteUnreachable,
)
from provisioning.core.model.ids import CommitId
from provisioning.core.reviews.forge import Author, FileOperation, FileWrite
from provisioning.forges.gitea.api import GiteaApi, quote_repository

_RACES = frozenset({403, 404, 409, 422})
"""The statuses of a write that lost a race; they have other causes, too."""

_LOST = re.compile(
    r"already exists|sha does not match|cannot lock ref|but expected|object does not exist|"
    r"incorrect old value|stale info|non-fast-forward|failed to update ref"
)
"""The texts of Gitea for a file or branch that the caller read in an older state."""


class GiteaContents:
    """The files of *repository* (`owner/name`) at the Gitea that *api* speaks to."""

    def __init__(self, api: GiteaApi, repository: str) -> None:
        self._api = api
        self._repository = repository
        self._path = quote_repository(repository)

    def change_files(
        self, branch: str, writes: Sequence[FileWrite], message: str, author: Author
    ) -> CommitId:
        """Write one commit to *branch*, if every file still is what its write says.

        Raises:
            HeadMoved: If one is not; nothing was written.
            RemoteRefused: If Gitea refuses.
            RemoteUnreachable: If it is unknown whether it was written.
        """
        when = datetime.fromtimestamp(int(author.time), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        person = {"name": author.name, "email": author.email}
        body = {
            "branch": branch,
            "message": message,
            "author": person,
            "committer": person,
            "dates": {"author": when, "committer": when},
            "files": [_shape(write) for write in writes],
        }
        reply = self._api.send("POST", f"{self._path}/contents", body, accepted=_RACES)
        if reply.status in _RACES:
            if _LOST.search(reply.message):
                raise HeadMoved(f"{branch} of {self._repository} has moved: {reply.message}")
            raise RemoteRefused(
                f"{branch} of {self._api.url}/{self._repository} cannot be written: "
                f"{reply.status} {reply.message}",
                hint="check forge.repository, and that the token's owner can see it"
                if reply.status == http.HTTPStatus.NOT_FOUND
                else "check the token's rights, its scopes, and the branch's protection",
            )
        try:
            return CommitId(reply.data["commit"]["sha"])
        except (LookupError, TypeError) as exc:
            raise RemoteUnreachable(
                f"{self._api.url} answered {reply.status} with something else than a commit",
                hint="is forge.url that of the forge, and no proxy before it?",
            ) from exc


def _shape(write: FileWrite) -> dict[str, str]:
    shape = {"operation": str(write.operation), "path": write.path}
    if write.content is not None:
        shape["content"] = base64.b64encode(write.content).decode()
    if write.operation is not FileOperation.CREATE:
        shape["sha"] = write.blob
    return shape

"""The facts of a repository at its forge, and the setup that the settings ask for."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from provisioning.core.model.errors import ProvisioningError
from provisioning.core.reviews.forge import Permission

SCOPES = ("read:user", "write:repository", "write:issue")
"""The scopes that the token needs: to read its owner, to write, and to comment."""

EVENTS = frozenset(
    {"push", "pull_request", "pull_request_sync", "pull_request_comment", "pull_request_review"}
)
"""The events that a webhook must send."""


class Protection(msgspec.Struct, frozen=True, kw_only=True):
    """The protection of the branches that *pattern* matches.

    `pushers` and `mergers` are those who may; None is everybody who may write. A merge waits for
    the statuses that `checks` match, and for `approvals`, which a push takes back if `drops_stale`.
    Nobody may push the files that `guarded_files` match. Of the rules for a branch, the one with
    the least `priority` counts.
    """

    pattern: str
    pushers: frozenset[str] | None = None
    can_force: bool = False
    mergers: frozenset[str] | None = None
    checks: tuple[str, ...] = ()
    approvals: int = 0
    drops_stale: bool = False
    needs_signatures: bool = False
    guarded_files: str = ""
    priority: int = 0


class Hook(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook; when it was made is in seconds since the epoch."""

    id: int
    url: str
    events: frozenset[str]
    is_active: bool
    branches: str
    sends_json: bool
    made: float


class Label(msgspec.Struct, frozen=True):
    """A label of the repository's pull requests; its colour is six hexadecimal digits."""

    name: str
    description: str
    colour: str


class Hosting(msgspec.Struct, frozen=True, kw_only=True):
    """The repository, and what the token's owner may do with it."""

    permission: Permission
    is_archived: bool
    is_empty: bool
    is_mirror: bool
    has_branch: bool
    switches: Mapping[str, bool]


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """The answers of the forge. Facts that only administrators see are None to others.

    If the forge refused, `refused` names the subject, `refusal` is the reason, and all facts after
    it are None.
    """

    version: str | None = None
    skew: float = 0.0
    login: str | None = None
    missing_scopes: tuple[str, ...] = ()
    hosting: Hosting | None = None
    labels: frozenset[str] | None = None
    protections: tuple[Protection, ...] | None = None
    hooks: tuple[Hook, ...] | None = None
    refused: str = ""
    refusal: ProvisioningError | None = None


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The setup that the settings ask for.

    `repository` is `OWNER/NAME`, and `labels` are those of reviewed pull requests. Webhooks go to
    the address `hook`, if there is one; `secret_file`, for people, holds their secret, and was
    written at `secret_made`, in seconds since the epoch, if it was. With `applies_first` a pull
    request is applied before it is merged.
    """

    url: str
    repository: str
    branch: str
    infras: tuple[str, ...]
    labels: tuple[Label, ...]
    needs_approval: bool
    applies_first: bool
    hook: str | None = None
    secret_file: str = ""
    secret_made: float | None = None

    @property
    def switches(self) -> Mapping[str, str]:
        """The features that the repository must have switched on, and their purpose."""
        always = {"has_pull_requests": "pull requests"}
        before_merge = {"allow_merge_commits": "merge commits, by which an apply merges"}
        return always | (before_merge if self.applies_first else {})

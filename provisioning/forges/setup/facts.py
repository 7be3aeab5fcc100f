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

    Args:
        pattern: A branch, or a pattern of branches.
        pushers: Who may push; None is everybody who may write.
        can_force: True if they may force it.
        mergers: Who may merge; None is everybody who may write.
        checks: The statuses that a merge waits for, as patterns.
        approvals: How many reviews a merge waits for.
        drops_stale: True if a push takes approvals back.
        needs_signatures: True if commits must be signed.
        guarded_files: Patterns of files that nobody may push.
        priority: Of the rules that match a branch, the one with the least number counts.
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

    Args:
        url: The forge's address.
        repository: `OWNER/NAME`.
        branch: Where desired state is read from.
        infras: Whose state logs are kept there.
        labels: The labels of reviewed pull requests.
        needs_approval: True if every change must come by a pull request.
        applies_first: True if a pull request is applied before it is merged.
        hook: The address that webhooks go to; None for no webhook.
        secret_file: The file that holds the webhook's secret, for people.
        secret_made: When it was written, in seconds since the epoch; None if it was not.
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

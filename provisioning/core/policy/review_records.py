"""The records of a review: the branch `provisioning-reviews/<pull request>`. Format 1.

| File | Holds |
| --- | --- |
| `review.json` | a `ReviewRecord`: the plans shown for a commit, and the comments on them |
| `plans/<infra>.md` | the whole plan as text, however long |

Each review of a new state of the pull request is one commit, so `git log` shows their order.

`mac` signs the record and the commit before it: whoever may push can write the branch, and only who
has the key can sign. A record that is not signed, or is signed for another place, counts for
nothing; the newest signed one before it is read instead.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import msgspec

from provisioning.core.model.errors import StateLogDamaged
from provisioning.core.model.ids import CommitId, ResourceId
from provisioning.core.model.values import UNDECODABLE, Digest
from provisioning.core.plan.plan import Plan

FORMAT = 1
REVIEW, PLANS = "review.json", "plans"

NOTHING = CommitId("")
"""The commit of a review that shows nothing."""

ALL = -1
"""The last answered comment, where all comments up to now count as answered."""

REVIEWS = "refs/heads/provisioning-reviews/"
"""Below it lies the branch of each pull request's review."""


class ReviewedPlan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The plan of one infra as it was shown: its digest, and the digest of each effect."""

    infra: str
    digest: Digest
    effects: tuple[Digest, ...] = ()
    resources: tuple[ResourceId, ...] = ()


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """The approval of the plan of *infra* with that *digest*, in *comment*."""

    infra: str
    digest: Digest
    by: str
    comment: int


class PendingApproval(msgspec.Struct, frozen=True, kw_only=True):
    """A plan that waits for a yes; a yes counts if its comment came *after* it was shown."""

    infra: str
    digest: Digest
    after: int


class ReviewRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was shown of *head*, merged into its base, and what people said.

    `waiting` are the plans that came after the merge and are not those that were reviewed;
    `lifted` is the commit of an untrusted author that somebody who may has let be planned;
    `answered` is the id of the last comment that was dealt with, for ids rise; `is_settled`
    tells that it was closed, or merged and applied, and that this was shown.
    """

    pull: int
    head: CommitId
    plans: tuple[ReviewedPlan, ...] = ()
    waiting: tuple[PendingApproval, ...] = ()
    approvals: tuple[Approval, ...] = ()
    lifted: CommitId | None = None
    answered: int = 0
    is_settled: bool = False
    format: int = FORMAT


_DECODER = msgspec.json.Decoder(ReviewRecord)
"""Built once: msgspec crashes if two threads decode into one type for the first time."""


def get_review_ref(pull: int) -> str:
    """Return the full name of the branch that is the review of *pull*."""
    return f"{REVIEWS}{pull}"


def build_reviewed_plan(plan: Plan) -> ReviewedPlan:
    """Return what is remembered of *plan*; nothing secret is in it."""
    return ReviewedPlan(
        infra=plan.infra,
        digest=plan.digest,
        effects=tuple(change.effect_digest for change in plan.changes),
        resources=tuple(dict.fromkeys(change.id for change in plan.changes)),
    )


def parse_review(data: bytes, key: bytes, parent: CommitId | None) -> ReviewRecord | None:
    """Read `review.json`; None if it is not signed with *key* for a commit after *parent*.

    Raises:
        StateLogDamaged: If it is signed, and not of a format that this release knows.
    """
    try:
        raw = msgspec.json.decode(data, type=dict[str, Any])
        mac = str(raw.pop("mac", ""))
        if not hmac.compare_digest(_compute_mac(raw, key, parent).encode(), mac.encode()):
            return None
        record = _DECODER.decode(data)
    except UNDECODABLE:
        return None
    if record.format > FORMAT:
        raise StateLogDamaged(
            f"{REVIEW} has format {record.format}, and this release knows {FORMAT}",
            hint="upgrade: `pip install --upgrade provisioning`",
        )
    return record


def render_review(record: ReviewRecord, key: bytes, parent: CommitId | None) -> bytes:
    """Write `review.json` as people read it, signed with *key* for a commit after *parent*."""
    raw = msgspec.json.decode(msgspec.json.encode(record), type=dict[str, Any])
    signed = {**raw, "mac": _compute_mac(raw, key, parent)}
    return msgspec.json.format(msgspec.json.encode(signed), indent=2) + b"\n"


def _compute_mac(raw: dict[str, Any], key: bytes, parent: CommitId | None) -> str:
    """Return the HMAC-SHA-256 of the commit before a record and the record, its keys in order."""
    signed = msgspec.json.encode([parent, raw], order="sorted")
    return hmac.new(key, signed, hashlib.sha256).hexdigest()


def list_places(record: ReviewRecord) -> set[str]:
    """Return what *record* says is changed: `infra: Kind/name`."""
    return {f"{plan.infra}: {name}" for plan in record.plans for name in plan.resources}

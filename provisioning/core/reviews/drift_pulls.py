"""Pull requests about drift: their branches and their texts. Format 1.

A drift of `File/motd` in `web` has the branch `provisioning-drift/web/File-motd`. The newest commit
that this program wrote there has the trailers `Drift`, a digest of the difference, and `Since`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from provisioning.core.model.errors import Source
from provisioning.core.model.ids import KIND, NAME, ResourceId, build_resource_id
from provisioning.core.model.values import as_json, render_canonical
from provisioning.core.plan.diff import FieldChange
from provisioning.core.plan.plan import Drifted
from provisioning.core.reviews.commands import PREFIX, Verb
from provisioning.core.reviews.field_diff import render_fields
from provisioning.core.reviews.forge import PullRequest
from provisioning.core.reviews.markdown import render_block, render_code

DRIFT_REFS = "refs/heads/provisioning-drift/"
"""The prefix of the branches of pull requests about drift."""

CLOSING = "<!-- provisioning:drift -->"
"""The first line of the comment that closes a pull request about drift."""

_HEADS = "refs/heads/"


class DriftPlace(msgspec.Struct, frozen=True, order=True):
    """The resource that a pull request about drift is about."""

    infra: str
    id: ResourceId

    @property
    def branch(self) -> str:
        """Its branch; a kind has no dash, so two resources never share one."""
        return self.ref.removeprefix(_HEADS)

    @property
    def ref(self) -> str:
        """The full name of its branch."""
        return f"{DRIFT_REFS}{self.infra}/{self.id.replace('/', '-')}"


def parse_drift_ref(ref: str) -> DriftPlace | None:
    """Return the resource of the branch *ref*; None if it is another branch."""
    infra, _, rest = ref.removeprefix(DRIFT_REFS).partition("/")
    kind, _, name = rest.partition("-")
    is_ours = (
        ref.startswith(DRIFT_REFS) and NAME.match(infra) and KIND.match(kind) and NAME.match(name)
    )
    return DriftPlace(infra, build_resource_id(kind, name)) if is_ours else None


def find_drift_place(pull: PullRequest, own: str) -> DriftPlace | None:
    """Return which drift *pull* is about, by its branch; None if it is about none.

    A branch is only a name, which anybody may choose: its author must be the account *own*.
    """
    if pull.is_fork or pull.author != own:
        return None
    return parse_drift_ref(f"{_HEADS}{pull.head_branch}")


class DriftNote(msgspec.Struct, frozen=True, kw_only=True):
    """The note of a drift on its branch: the digest of the difference, and when it was seen."""

    digest: str
    since: str

    @property
    def trailers(self) -> str:
        """The trailers of a commit message that hold the note."""
        return f"Drift: {self.digest}\nSince: {self.since}\n"


def parse_note(trailers: Mapping[str, str]) -> DriftNote | None:
    """Parse the note in a commit's trailers; None if it has none."""
    digest, since = trailers.get("Drift"), trailers.get("Since")
    return DriftNote(digest=digest, since=since) if digest and since else None


class Acceptance(StrEnum):
    """How the commit of the branch accepts the drift."""

    EDITED = "edited"
    EMPTY = "empty"
    TAKEN_OVER = "taken over"
    """Somebody added commits to the branch."""


def render_drift(drifted: Drifted) -> str:
    """Return the whole difference as one text, for a digest."""
    rows = [[field.path, as_json(field.before), as_json(field.after)] for field in drifted.fields]
    return render_canonical(rows).decode()


def render_title(place: DriftPlace) -> str:
    """Return the title of the pull request."""
    return f"Drift: {place.infra} {place.id}"


def render_body(place: DriftPlace, drifted: Drifted, since: str, acceptance: Acceptance) -> str:
    """Return the text of the pull request; foreign text in it has no effect."""
    is_gone = not all(field.path for field in drifted.fields)
    accept = _render_acceptance(acceptance, drifted.source, is_gone=is_gone)
    return f"""\
`{place.id}` of `{place.infra}` has drifted from its desired state. Its manifest says `drift: pr`, \
so it was left as it is. From the desired to the live state:

{_render_difference(drifted, is_gone=is_gone)}

- Seen since: {since}, when a plan found it first.
- By whom: unknown. A provider reports the live state, and not who changed it.

There are two ways out:

- **Accept the live state:** {accept}
- **Restore the desired state:** comment `{PREFIX} {Verb.APPLY}`. Only this resource is applied.

When the drift is gone, this pull request is closed automatically.
"""


def _render_difference(drifted: Drifted, *, is_gone: bool) -> str:
    if is_gone:
        return render_block(f"- {drifted.id}  it is gone", "diff")
    fields = render_fields([_reverse(field) for field in drifted.fields])
    return render_block("\n".join([f"! {drifted.id}", *fields]), "diff")


def _reverse(field: FieldChange) -> FieldChange:
    """Turn the change that would restore a field into the one that happened to it."""
    return FieldChange(path=field.path, before=field.after, after=field.before, cause=field.cause)


def _render_acceptance(acceptance: Acceptance, source: Source, *, is_gone: bool) -> str:
    file = render_code(source.file)
    match acceptance:
        case Acceptance.EDITED:
            return f"merge. The commit edits {file}; planned with it, the resource has no drift."
        case Acceptance.TAKEN_OVER:
            return "merge. Somebody added commits to this branch; see the plan."
    how = "remove the resource from" if is_gone else "write the live state into"
    return (
        f"{how} {file}, line {source.line}, by hand, on this branch or by another pull request. "
        "The commit here is empty, because the file cannot be edited automatically: that needs a "
        "plain value on the line of its key, in block style YAML, and no secret."
    )


def render_closing(place: DriftPlace, *, is_watched: bool) -> str:
    """Return the comment that closes the pull request.

    *is_watched* tells whether the manifest still has `drift: pr`.
    """
    if is_watched:
        reason = f"The drift of `{place.id}` of `{place.infra}` is gone."
    else:
        reason = f"Git no longer has `{place.id}` of `{place.infra}` with `drift: pr`."
    return f"{CLOSING}\n{reason} This pull request is closed, and its branch is deleted."

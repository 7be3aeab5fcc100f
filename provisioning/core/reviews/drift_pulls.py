"""Pull requests about drift: their branches, and what is written into them. Format 1.

A drift of `File/motd` in `web` has the branch `provisioning-drift/web/File-motd`. The newest commit
that we wrote there has the trailers `Drift`, a digest of what differs, and `Since`.
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
from provisioning.core.reviews.commands import WORD, Verb
from provisioning.core.reviews.field_diff import render_fields
from provisioning.core.reviews.forge import PullRequest
from provisioning.core.reviews.markdown import render_block, render_code

DRIFTS = "refs/heads/provisioning-drift/"
"""Below it lies the branch of each drift that has a pull request."""

GONE = "<!-- provisioning:drift -->"
"""The first line of the comment with which a pull request about drift is closed."""

_HEADS = "refs/heads/"


class DriftPlace(msgspec.Struct, frozen=True, order=True):
    """The resource that a pull request about drift is for."""

    infra: str
    id: ResourceId

    @property
    def branch(self) -> str:
        """Its branch; a kind has no dash, so that two resources never share one."""
        return self.ref.removeprefix(_HEADS)

    @property
    def ref(self) -> str:
        """The full name of its branch."""
        return f"{DRIFTS}{self.infra}/{self.id.replace('/', '-')}"


def parse_drift_ref(ref: str) -> DriftPlace | None:
    """Return what the branch *ref* is for; None if it is none of ours."""
    infra, _, rest = ref.removeprefix(DRIFTS).partition("/")
    kind, _, name = rest.partition("-")
    is_ours = ref.startswith(DRIFTS) and NAME.match(infra) and KIND.match(kind) and NAME.match(name)
    return DriftPlace(infra, build_resource_id(kind, name)) if is_ours else None


def find_drift(pull: PullRequest) -> DriftPlace | None:
    """Return which drift *pull* is about; whoever opened it, its branch tells."""
    return None if pull.is_fork else parse_drift_ref(f"{_HEADS}{pull.head_branch}")


class DriftNote(msgspec.Struct, frozen=True, kw_only=True):
    """What a branch tells of its drift: the digest of what differs, and when it was first seen."""

    digest: str
    since: str

    @property
    def trailers(self) -> str:
        """The last lines of a commit message that keep it."""
        return f"Drift: {self.digest}\nSince: {self.since}\n"


def parse_note(trailers: Mapping[str, str]) -> DriftNote | None:
    """Read a note from a commit's trailers; None if the commit is not one of ours."""
    digest, since = trailers.get("Drift"), trailers.get("Since")
    return DriftNote(digest=digest, since=since) if digest and since else None


class Accepting(StrEnum):
    """What the commit of the branch does."""

    EDITED = "edited"
    EMPTY = "empty"
    TAKEN_OVER = "taken over"
    """Somebody went on from it."""


def render_drift(drifted: Drifted) -> str:
    """Return all that differs as one text, for a digest; nothing is cut."""
    rows = [[field.path, as_json(field.before), as_json(field.after)] for field in drifted.fields]
    return render_canonical(rows).decode()


def render_title(place: DriftPlace) -> str:
    """Return the title of the pull request."""
    return f"Drift: {place.infra} {place.id}"


def render_body(place: DriftPlace, drifted: Drifted, since: str, accepting: Accepting) -> str:
    """Return the text of the pull request; no word in it that somebody else wrote can act."""
    is_gone = not all(field.path for field in drifted.fields)
    accept = _render_accepting(accepting, drifted.source, is_gone=is_gone)
    return f"""\
`{place.id}` of `{place.infra}` is not as Git asks for. Its manifest says `drift: pr`, so it was \
left as it is. From what Git asks for to what is:

{_render_difference(drifted, is_gone=is_gone)}

- Seen since: {since}, when a look found it first.
- By whom: nobody is known. A provider tells what is there, and not who changed it.

There are two ways out:

- **Accept what is:** {accept}
- **Put back what Git asks for:** comment `{WORD} {Verb.APPLY}`. Only this resource is applied.

When the drift goes away, this is closed by itself.
"""


def _render_difference(drifted: Drifted, *, is_gone: bool) -> str:
    if is_gone:
        return render_block(f"- {drifted.id}  it is gone", "diff")
    fields = render_fields([_turn(field) for field in drifted.fields])
    return render_block("\n".join([f"! {drifted.id}", *fields]), "diff")


def _turn(field: FieldChange) -> FieldChange:
    """Turn a change that would put a field back into the one that happened to it."""
    return FieldChange(path=field.path, before=field.after, after=field.before, cause=field.cause)


def _render_accepting(accepting: Accepting, source: Source, *, is_gone: bool) -> str:
    file = render_code(source.file)
    match accepting:
        case Accepting.EDITED:
            return (
                f"merge. The commit edits {file}, and was planned: with it, Git asks for what is."
            )
        case Accepting.TAKEN_OVER:
            return "merge. Somebody went on from the commit that was here; see what is planned."
    how = "remove the resource from" if is_gone else "write what is into"
    return (
        f"{how} {file}, line {source.line}, by hand, on this branch or by another pull request. "
        "The commit here is empty, for the file could not be edited by itself: that takes a "
        "plain value on the line of its key, in block style YAML, and no secret."
    )


def render_goodbye(place: DriftPlace, *, is_watched: bool) -> str:
    """Return the comment with which the pull request is closed.

    *is_watched* tells whether the manifest still asks for pull requests.
    """
    if is_watched:
        told = f"The drift is gone: `{place.id}` of `{place.infra}` is as Git asks for."
    else:
        told = f"Git no longer has `{place.id}` of `{place.infra}` with `drift: pr`."
    return f"{GONE}\n{told} This is closed, and its branch is deleted."

"""The one comment that shows the plan of a pull request; each review rewrites it.

Foreign text in it cannot leave its block of code: see `markdown`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from provisioning.core.model.errors import InvalidWorkspace, ProvisioningError
from provisioning.core.model.records import Action, Run
from provisioning.core.plan.plan import Plan, PlannedChange
from provisioning.core.reviews.commands import PREFIX, Verb
from provisioning.core.reviews.field_diff import render_fields
from provisioning.core.reviews.findings import InfraReview, PullReview
from provisioning.core.reviews.forge import State
from provisioning.core.reviews.manifest_changes import ManifestChange
from provisioning.core.reviews.markdown import render_block, render_cell, render_code

MARKER = "<!-- provisioning:review -->"
"""The first line of the comment, by which it is found again."""

LIMIT = 60_000
"""Characters of a comment; Gitea would take more."""

SIGNS = {
    Action.CREATE: "+",
    Action.UPDATE: "!",
    Action.REPLACE: "!",
    Action.DELETE: "-",
    Action.ADOPT: "+",
    Action.FORGET: "-",
}
"""The first letter of a change's line, which colours it in a block of the language `diff`."""

MARKS = {State.SUCCESS: "✅", State.PENDING: "⏳", State.FAILURE: "❌", State.ERROR: "❌"}

_COLUMNS = ("create", "update", "replace", "delete")
_MAX_OVERLAPS = 5

FindUrl = Callable[[str], str]
"""Returns the address of the whole plan of an infra."""


def render_comment(review: PullReview, find_url: FindUrl, limit: int = LIMIT) -> str:
    """Return the text of the comment; long plans are cut between two resources."""
    head = [MARKER, _render_title(review), *_render_warnings(review)]
    foot = [*_render_overlaps(review), _render_next_step(review)]
    table = _render_table(review.infras) if review.infras else []
    used = sum(len(item) + 2 for item in [*head, *table, *foot])
    sections = list(_render_sections(review, find_url, limit - used))
    return "\n\n".join([*head, "\n".join(table), *sections, *foot]).replace("\n\n\n\n", "\n\n")


def render_whole_plan(review: InfraReview) -> str:
    """Return all findings of one infra, as a file; nothing is cut."""
    blocks = "\n".join(_list_blocks(review, whole=True))
    return f"# {render_code(review.infra)}: {review.headline}\n\n{render_block(blocks, 'diff')}\n"


def _render_title(review: PullReview) -> str:
    pull = review.pull
    branch = render_code(pull.base_branch)
    if pull.is_closed:
        return f"### Closed: {review.headline}"
    if pull.merged:
        return f"### After the merge into {branch}: {review.headline}"
    commit = render_code(pull.head[:10])
    return f"### {MARKS[review.state]} {commit} merged into {branch}: {review.headline}"


def _render_warnings(review: PullReview) -> Iterator[str]:
    if review.exposures:
        rows = [
            f"{exposure.file}:{exposure.line}: {exposure.what}" for exposure in review.exposures
        ]
        yield (
            "**Secrets in plain text.** They are in Git's history now: rotate them, then encrypt "
            "the new ones with `provisioning sops`."
        )
        yield render_block("\n".join(rows))
    for old, new in review.renamed.items():
        yield (
            f"**{render_code(old)} is renamed to {render_code(new)}; its resources are not.** They "
            f"belong to their infra: after the merge they are deleted in {render_code(old)}, and "
            f"created in {render_code(new)}. Keep the folder's name; or, if they may be recreated, "
            f"remove {render_code(old)} by one pull request, and add {render_code(new)} by a later "
            "one."
        )
    if not review.is_trusted and not review.pull.merged:
        yield (
            "Its author may not write to this repository, so only the manifests were compared: "
            "no secret was decrypted and no provider called. Somebody who may write can comment "
            f"`{PREFIX} {Verb.PLAN}` to plan this commit."
        )


def _render_table(infras: Sequence[InfraReview]) -> list[str]:
    head = ("", "infra", *_COLUMNS, "blocked", "risk", "calls", "")
    rule = ("---", "---", *("--:" for _ in _COLUMNS), "--:", "---", "--:", "---")
    return [_join(row) for row in (head, rule, *map(_list_cells, infras))]


def _list_cells(review: InfraReview) -> tuple[str, ...]:
    summary = review.plan.summary if review.plan else {}
    counts = (str(summary.get(name) or "") for name in (*_COLUMNS, "blocked"))
    mark, name = MARKS[review.state], render_cell(review.infra)
    return (mark, name, *counts, review.risk or "", str(review.calls or ""), _note(review))


def _note(review: InfraReview) -> str:
    """Return the headline where the counts do not say it all."""
    is_clear = review.state is State.SUCCESS and review.plan is not None and review.run is None
    return "" if is_clear else review.headline


def _join(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _render_sections(review: PullReview, find_url: FindUrl, room: int) -> Iterator[str]:
    """Yield each infra's changes, folded; those without room are counted, and linked."""
    shown = [infra for infra in review.infras if any(_list_blocks(infra))]
    for number, item in enumerate(shown):
        share = room // (len(shown) - number)
        section = _render_section(item, find_url, share)
        room -= len(section)
        yield section


def _render_section(review: InfraReview, find_url: FindUrl, room: int) -> str:
    blocks = list(_list_blocks(review))
    title = f"<details><summary>{review.infra}: {review.headline}</summary>\n\n"
    room -= len(title) + 200
    shown: list[str] = []
    for block in blocks:
        if len(block) + 1 > room:
            break
        shown.append(block)
        room -= len(block) + 1
    left = len(blocks) - len(shown)
    count = f"… and {left} more: " if left else ""
    more = f"\n\n{count}[the whole plan]({find_url(review.infra)})"
    body = render_block("\n".join(shown), "diff") if shown else ""
    return f"{title}{body}{more}\n\n</details>"


def _list_blocks(review: InfraReview, *, whole: bool = False) -> Iterator[str]:
    """Yield the findings of an infra, a block of lines for each resource."""
    if review.error is not None:
        yield from _list_problems(review.error)
    for violation in review.violations:
        yield f"- {violation.code}: {violation.reason}"
    if review.run is not None:
        yield from _list_failures(review.run)
    elif review.unreviewed:
        yield from ("\n".join(_render_change(change, whole=whole)) for change in review.unreviewed)
    elif review.plan is not None:
        yield from _list_changes(review.plan, whole=whole)
    for difference in review.manifest_changes or ():
        yield "\n".join(_render_difference(difference, whole=whole))


def _list_problems(error: ProvisioningError) -> Iterator[str]:
    problems = error.problems if isinstance(error, InvalidWorkspace) else (error,)
    for problem in problems:
        yield f"- {problem}" + (f"\n      {problem.hint}" if problem.hint else "")


def _list_failures(run: Run) -> Iterator[str]:
    for change in run.changes:
        if change.error:
            yield f"- {change.id}  {change.outcome}: {change.error}"


def _list_changes(plan: Plan, *, whole: bool) -> Iterator[str]:
    for change in plan.changes:
        yield "\n".join(_render_change(change, whole=whole))
    for blocked in plan.blocked:
        hint = f"\n      {blocked.hint}" if blocked.hint else ""
        yield f"- {blocked.id}  blocked: {blocked.reason}{hint}"
    for drifted in plan.drifted:
        fields = render_fields(drifted.fields, whole=whole)
        yield "\n".join([f"! {drifted.id}  has drifted, and stays as it is", *fields])


def _render_change(change: PlannedChange, *, whole: bool) -> Iterator[str]:
    where = f"  {change.source}" if change.source.file else ""
    yield f"{SIGNS[change.action]} {change.action} {change.id}  {change.reason}{where}"
    if change.warning:
        yield f"      {change.warning}"
    if change.origin:
        yield f"      moved from {change.origin}"
    yield from render_fields(change.fields, marks_drift=True, whole=whole)


def _render_difference(change: ManifestChange, *, whole: bool) -> Iterator[str]:
    yield f"{SIGNS[change.action]} {change.action} {change.id}  {change.source}"
    yield from render_fields(change.fields, whole=whole)


def _render_overlaps(review: PullReview) -> Iterator[str]:
    for pull, places in review.overlaps.items():
        names = ", ".join(render_code(place) for place in places[:_MAX_OVERLAPS])
        more = " …" if len(places) > _MAX_OVERLAPS else ""
        yield (
            f"#{pull} changes the same resources: {names}{more}. The one that is merged first is "
            "applied first; the other is then planned again on top of it."
        )


def _render_next_step(review: PullReview) -> str:
    record = f"The reviewed plans are on the branch `provisioning-reviews/{review.pull.number}`."
    if review.pull.is_closed:
        return f"{record} If the pull request is opened again, it is planned again."
    if review.pull.merged:
        if review.state is State.PENDING:
            return (
                "Only the differences to the reviewed plan are shown. "
                f"Somebody with the permission can comment `{PREFIX} {Verb.APPROVE}`."
            )
        return record
    if review.drift:
        step = f"The merge accepts the drift; `{PREFIX} {Verb.APPLY}` restores the desired state."
    elif review.applies_first:
        step = f"`{PREFIX} {Verb.APPLY}` applies exactly this, and then merges."
    else:
        step = "The merge applies exactly this; anything else waits for an approval."
    return f"{step} `{PREFIX} {Verb.HELP}` lists the commands."

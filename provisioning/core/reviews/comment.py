"""The one comment that shows what a pull request would do; it is written anew at each look.

Nothing in it that somebody else wrote can leave its block of code: see `markdown`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from provisioning.core.model.errors import InvalidWorkspace, ProvisioningError
from provisioning.core.model.records import Action, Run
from provisioning.core.plan.plan import Plan, PlannedChange
from provisioning.core.reviews.commands import WORD, Verb
from provisioning.core.reviews.field_diff import render_fields
from provisioning.core.reviews.findings import InfraReview, PullReview
from provisioning.core.reviews.forge import State
from provisioning.core.reviews.manifest_changes import ManifestChange
from provisioning.core.reviews.markdown import render_block, render_cell, render_code

MARKER = "<!-- provisioning:review -->"
"""The first line of our comment, by which it is found again."""

LIMIT = 60_000
"""Characters of a comment; Gitea has room for more, people have not."""

SIGNS = {
    Action.CREATE: "+",
    Action.UPDATE: "!",
    Action.REPLACE: "!",
    Action.DELETE: "-",
    Action.ADOPT: "+",
    Action.FORGET: "-",
}
"""The first letter of a change's line, by which a block of the language `diff` is coloured."""

MARKS = {State.SUCCESS: "✅", State.PENDING: "⏳", State.FAILURE: "❌", State.ERROR: "❌"}

_COLUMNS = ("create", "update", "replace", "delete")
_MOST_OVERLAPS = 5

FindUrl = Callable[[str], str]
"""Where the whole plan of an infra can be read."""


def render_comment(review: PullReview, find_url: FindUrl, limit: int = LIMIT) -> str:
    """Return the comment's text; plans that are too long are cut between two resources."""
    head = [MARKER, _render_title(review), *_render_warnings(review)]
    foot = [*_render_overlaps(review), _render_way_on(review)]
    table = _render_table(review.infras) if review.infras else []
    used = sum(len(item) + 2 for item in [*head, *table, *foot])
    sections = list(_render_sections(review, find_url, limit - used))
    return "\n\n".join([*head, "\n".join(table), *sections, *foot]).replace("\n\n\n\n", "\n\n")


def render_whole_plan(review: InfraReview) -> str:
    """Return everything that is to be said of one infra, as a file."""
    blocks = "\n".join(_list_blocks(review))
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
            "**Secrets in plain text.** They are in Git's history now: change them, then keep "
            "the new ones with `provisioning sops`."
        )
        yield render_block("\n".join(rows))
    for old, new in review.renamed.items():
        yield (
            f"**{render_code(old)} is now {render_code(new)}, and takes nothing with it.** What an "
            f"infra made stays that infra's: merged like this, it is to be deleted in "
            f"{render_code(old)}, and made anew in {render_code(new)}. Keep the folder's name; or, "
            f"where it may be made anew, remove {render_code(old)} by one pull request, and add "
            f"{render_code(new)} by a later one."
        )
    if not review.is_trusted and not review.pull.merged:
        yield (
            "Its author may not write to this repository, so only the manifests were compared: "
            "no secret was opened and no provider asked. Somebody who may can say "
            f"`{WORD} {Verb.PLAN}` to plan this commit."
        )


def _render_table(infras: Sequence[InfraReview]) -> list[str]:
    head = ("", "infra", *_COLUMNS, "blocked", "risk", "calls", "")
    lines = [
        _join(head),
        _join(["---", "---", *("--:" for _ in _COLUMNS), "--:", "---", "--:", "---"]),
    ]
    for infra in infras:
        summary = infra.plan.summary if infra.plan else {}
        counts = [str(summary.get(name) or "") for name in (*_COLUMNS, "blocked")]
        risk, calls = infra.risk or "", str(infra.calls or "")
        lines.append(
            _join(
                [MARKS[infra.state], render_cell(infra.infra), *counts, risk, calls, _note(infra)]
            )
        )
    return lines


def _note(review: InfraReview) -> str:
    """Return what the counts do not tell."""
    is_plain = review.state is State.SUCCESS and review.plan is not None and review.run is None
    return "" if is_plain else review.headline


def _join(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _render_sections(review: PullReview, find_url: FindUrl, room: int) -> Iterator[str]:
    """Fold each infra's changes; what has no room is counted, and linked."""
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
    kept: list[str] = []
    for block in blocks:
        if len(block) + 1 > room:
            break
        kept.append(block)
        room -= len(block) + 1
    left = len(blocks) - len(kept)
    more = f"\n\n… and {left} more: [the whole plan]({find_url(review.infra)})" if left else ""
    body = render_block("\n".join(kept), "diff") if kept else ""
    return f"{title}{body}{more}\n\n</details>"


def _list_blocks(review: InfraReview) -> Iterator[str]:
    """Yield what is to be told of an infra, a block of lines for each resource."""
    if review.error is not None:
        yield from _list_problems(review.error)
    for violation in review.violations:
        yield f"- {violation.code}: {violation.reason}"
    if review.run is not None:
        yield from _list_failures(review.run)
    elif review.strays:
        yield from ("\n".join(_render_change(stray)) for stray in review.strays)
    elif review.plan is not None:
        yield from _list_changes(review.plan)
    for difference in review.manifest_changes or ():
        yield "\n".join(_render_difference(difference))


def _list_problems(error: ProvisioningError) -> Iterator[str]:
    problems = error.problems if isinstance(error, InvalidWorkspace) else (error,)
    for problem in problems:
        yield f"- {problem}" + (f"\n      {problem.hint}" if problem.hint else "")


def _list_failures(run: Run) -> Iterator[str]:
    for change in run.changes:
        if change.error:
            yield f"- {change.id}  {change.outcome}: {change.error}"


def _list_changes(plan: Plan) -> Iterator[str]:
    for change in plan.changes:
        yield "\n".join(_render_change(change))
    for blocked in plan.blocked:
        hint = f"\n      {blocked.hint}" if blocked.hint else ""
        yield f"- {blocked.id}  blocked: {blocked.reason}{hint}"
    for drifted in plan.drifted:
        yield "\n".join(
            [f"! {drifted.id}  has drifted, and is left so", *render_fields(drifted.fields)]
        )


def _render_change(change: PlannedChange) -> Iterator[str]:
    where = f"  {change.source}" if change.source.file else ""
    yield f"{SIGNS[change.action]} {change.action} {change.id}  {change.reason}{where}"
    if change.warning:
        yield f"      {change.warning}"
    if change.origin:
        yield f"      moved from {change.origin}"
    yield from render_fields(change.fields, marks_drift=True)


def _render_difference(change: ManifestChange) -> Iterator[str]:
    yield f"{SIGNS[change.action]} {change.action} {change.id}  {change.source}"
    yield from render_fields(change.fields)


def _render_overlaps(review: PullReview) -> Iterator[str]:
    for pull, places in review.overlaps.items():
        names = ", ".join(render_code(place) for place in places[:_MOST_OVERLAPS])
        more = " …" if len(places) > _MOST_OVERLAPS else ""
        yield (
            f"#{pull} changes the same: {names}{more}. Whichever is merged first is applied first; "
            "the other is then planned again on top of it."
        )


def _render_way_on(review: PullReview) -> str:
    kept = f"What was reviewed is on the branch `provisioning-reviews/{review.pull.number}`."
    if review.pull.is_closed:
        return f"{kept} Opened again, it is planned anew."
    if review.pull.merged:
        if review.state is State.PENDING:
            return (
                "Shown is only what differs from the reviewed plan. "
                f"Somebody who may can say `{WORD} {Verb.APPROVE}`."
            )
        return kept
    if review.drift:
        way = f"The merge accepts what is; `{WORD} {Verb.APPLY}` puts back what Git asks for."
    elif review.applies_first:
        way = f"`{WORD} {Verb.APPLY}` applies exactly this, and then merges."
    else:
        way = "The merge applies exactly this; anything else waits for a yes."
    return f"{way} `{WORD} {Verb.HELP}` tells what else can be said."

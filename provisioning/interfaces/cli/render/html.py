"""Plans as one self-contained page: folded diffs, and the graph. No script, no link, no font."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from provisioning.core.plan.diff import Cause, FieldChange
from provisioning.core.plan.plan import PlannedChange
from provisioning.core.plan.text import (
    describe_work,
    is_multiline,
    render_text_diff,
    render_value,
)
from provisioning.core.status.dependency_graph import (
    DependencyGraph,
    View,
    compute_dependency_graph,
    focus_graph,
)
from provisioning.interfaces.cli.render.svg import render_svg
from provisioning.reconciler.planning.plan_result import PlanResult

HEAD = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }}
body {{ max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}
details {{ border: 1px solid #8886; border-radius: 6px; margin: .5rem 0; padding: .4rem .8rem }}
summary {{ cursor: pointer }}
code, pre, table {{ font: 14px/1.5 ui-monospace, Menlo, Consolas, monospace }}
pre {{ overflow-x: auto; margin: .2rem 0 }}
td {{ padding: 0 1rem 0 0; vertical-align: top }}
.create, .plus {{ color: #1a7f37 }} .delete, .minus, .no {{ color: #c0362c }}
.update, .replace {{ color: #9a6700 }} .adopt, .forget, .at {{ color: #0b62a8 }}
.where {{ opacity: .7 }}
figure {{ overflow-x: auto; margin: 1rem 0 }}
</style>
"""


def render_results(results: Sequence[PlanResult]) -> str:
    """Return the page of *results*, each with its part of the dependency graph.

    Every text in it that comes from elsewhere is escaped.
    """
    views = {
        result.plan.infra: View(desired=result.desired.resources, records=result.recorded.records)
        for result in results
    }
    graph = compute_dependency_graph(views)
    title = "Plan of " + (", ".join(views) or "nothing")
    body = [line for result in results for line in _render_result(result, graph)]
    return "\n".join([HEAD.format(title=escape(title)), f"<h1>{escape(title)}</h1>", *body])


def _render_result(result: PlanResult, graph: DependencyGraph) -> Iterator[str]:
    plan = result.plan
    rest = f"{len(plan.unchanged)} unchanged"
    rest += f", {len(plan.blocked)} blocked" if plan.blocked else ""
    yield f"<h2>{escape(plan.infra)}</h2>"
    yield f"<p>{escape(describe_work(plan) or 'Nothing to do')}; {rest}.</p>"
    yield f"<p class=where>commit <code>{plan.commit}</code>, digest <code>{plan.digest}</code></p>"
    for violation in result.violations:
        text = f"{escape(violation.reason)}<br>{escape(violation.hint)}"
        yield f"<p class=no><b>{violation.code}</b> {text}"
    for blocked in plan.blocked:
        hint = f"<br>{escape(blocked.hint)}" if blocked.hint else ""
        yield f"<p class=no><b>{blocked.id}</b> blocked: {escape(blocked.reason)}{hint}"
    for change in plan.changes:
        yield from _render_change(change)
    for drifted in plan.drifted:
        yield f"<details><summary><b>{drifted.id}</b> has drifted, and is left so</summary>"
        yield from _render_fields(drifted.fields)
        yield "</details>"
    if own := focus_graph(graph, plan.infra):
        yield f"<figure>{render_svg(own, tip=f'tip-{plan.infra}')}</figure>"


def _render_change(change: PlannedChange) -> Iterator[str]:
    where = f" <span class=where>{escape(str(change.source))}</span>" if change.source.file else ""
    yield (
        f"<details><summary><b class={change.action}>{change.action}</b> "
        f"<code>{change.id}</code> {escape(change.reason)}{where}</summary>"
    )
    if change.warning:
        yield f"<p class=no>{escape(change.warning)}</p>"
    if change.origin:
        yield f"<p>moved from <code>{change.origin}</code></p>"
    yield from _render_fields(change.fields)
    yield "</details>"


def _render_fields(fields: Sequence[FieldChange]) -> Iterator[str]:
    yield "<table>"
    for field in fields:
        notes = " forces replacement" if field.replaces and field.before is not None else ""
        notes += " (drift)" if field.cause is Cause.DRIFT and field.path else ""
        yield f"<tr><td>{escape(field.path)}{notes}<td>{_render_step(field)}"
    yield "</table>"


def _render_step(field: FieldChange) -> str:
    if is_multiline(field):
        return (
            f"<pre>{''.join(map(_render_line, render_text_diff(field.before, field.after)))}</pre>"
        )
    after = f"<span class=plus>{escape(render_value(field.after))}</span>"
    return after if field.before is None else f"{escape(render_value(field.before))} → {after}"


def _render_line(line: str) -> str:
    kind = {"+": "plus", "-": "minus", "@": "at"}.get(line[:1])
    text = escape(line) + "\n"
    return f"<span class={kind}>{text}</span>" if kind else text

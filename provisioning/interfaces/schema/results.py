"""The stable JSON of plans, runs, states and errors, one object an infra.

The same shapes come from the command line and from the service.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from provisioning.core.model.errors import InvalidWorkspace, ProvisioningError, Source
from provisioning.core.model.ids import ResourceId
from provisioning.core.model.records import Change, LogSnapshot, Record, Run
from provisioning.core.model.values import as_json
from provisioning.core.plan.diff import FieldChange
from provisioning.core.plan.plan import Plan, PlannedChange
from provisioning.core.reviews.findings import InfraReview, PullReview
from provisioning.core.status.conditions import InfraStatus
from provisioning.core.status.dependency_graph import DependencyGraph
from provisioning.core.status.impact import Impact
from provisioning.core.status.provenance import Link, Provenance

if TYPE_CHECKING:
    from provisioning.core.statelog.fsck import Proof
    from provisioning.core.status.secret_usage import SecretUsage

Shape = dict[str, Any]


def shape_plan(plan: Plan) -> Shape:
    """Return *plan* as JSON shows it."""
    return {
        "infra": plan.infra,
        "commit": plan.commit,
        "digest": plan.digest,
        "summary": plan.summary,
        "changes": [shape_change(change) for change in plan.changes],
        "blocked": [
            {
                "id": item.id,
                "reason": item.reason,
                "source": shape_source(item.source),
                "hint": item.hint,
            }
            for item in plan.blocked
        ],
        "drifted": [
            {
                "id": item.id,
                "policy": item.policy,
                "fields": [shape_field(field) for field in item.fields],
            }
            for item in plan.drifted
        ],
    }


def shape_change(change: PlannedChange) -> Shape:
    """Return one planned change."""
    return {
        "id": change.id,
        "action": change.action,
        "reason": change.reason,
        "risk": change.risk,
        "fields": [shape_field(field) for field in change.fields],
        "source": shape_source(change.source),
    }


def shape_field(field: FieldChange) -> Shape:
    """Return one changed field; content that is not text becomes its digest and size."""
    return {"path": field.path, "before": as_json(field.before), "after": as_json(field.after)}


def shape_source(source: Source | None) -> Shape | None:
    """Return a place in the workspace."""
    if source is None or not source.file:
        return None
    return {"file": source.file, "line": source.line}


def shape_result(plan: Plan, conclusion: str, run: Run | None) -> Shape:
    """Return *plan* with what became of it."""
    outcomes = {change.id: change for change in run.changes} if run else {}
    shape = shape_plan(plan)
    changes = [item | _shape_outcome(outcomes.get(item["id"])) for item in shape["changes"]]
    return shape | {"changes": changes, "result": conclusion, "run": run.run if run else None}


def _shape_outcome(change: Change | None) -> Shape:
    if change is None:
        return {"outcome": None}
    told = {"outcome": change.outcome, "seconds": change.seconds}
    return told | ({"error": change.error, "hint": change.hint} if change.error else {})


def shape_record(record: Record) -> Shape:
    """Return one recorded resource."""
    return {
        "id": record.id,
        "kind": record.kind,
        "provider": record.provider,
        "spec": as_json(record.spec),
        "attributes": as_json(record.attributes),
        "dependsOn": list(record.depends_on),
        "run": record.run,
        "source": shape_source(record.source),
        "error": record.error,
    }


def shape_status(status: InfraStatus) -> Shape:
    """Return the status of one infra."""
    return {
        "infra": status.infra,
        "ready": status.is_ready,
        "conditions": [
            {
                "type": condition.type,
                "status": condition.status,
                "reason": condition.reason,
                "message": condition.message,
            }
            for condition in status.conditions
        ],
        "lock": msgspec.to_builtins(status.lock) if status.lock else None,
        "head": status.head,
        "applied": status.applied,
        "commit": status.commit,
        "resources": [
            {"id": resource.id, "condition": resource.condition, "message": resource.message}
            for resource in status.resources
        ],
    }


def shape_picture(graph: DependencyGraph) -> list[Shape]:
    """Return every resource with its condition and what it needs."""
    return [
        {
            "infra": infra,
            "id": name,
            "condition": node.condition,
            "message": node.message,
            "needs": [{"infra": need[0], "id": need[1]} for need in node.needs],
        }
        for (infra, name), node in graph.items()
    ]


def shape_impact(impact: Impact) -> Shape:
    """Return one resource that can be affected."""
    via = impact.via
    return {
        "id": impact.name[1],
        "why": impact.why,
        "cause": impact.cause,
        "via": {"infra": via[0], "id": via[1]} if via else None,
    }


def shape_why(why: Provenance) -> Shape:
    """Return where a resource or a field comes from, and the run that applied it."""
    applied = why.applied
    return {
        "infra": why.infra,
        "id": why.id,
        "field": why.field or None,
        "value": as_json(why.value),
        "desired": why.is_desired,
        "newer": why.is_newer,
        "links": [shape_link(link) for link in why.links],
        "applied": msgspec.to_builtins(applied) if applied else None,
    }


def shape_link(link: Link) -> Shape:
    """Return one place that says something."""
    return {
        "what": link.what,
        "layer": link.layer,
        "written": as_json(link.written),
        "source": shape_source(link.source),
        "by": msgspec.to_builtins(link.by) if link.by else None,
    }


def shape_usages(secret_usage: SecretUsage) -> Shape:
    """Return where a secret is kept, what names it, and who uses it."""
    return {
        "secret": secret_usage.secret,
        "files": [
            {
                "file": item.file,
                "key": item.key or None,
                "there": item.is_there,
                "fingerprint": item.fingerprint or None,
                "created": item.created or None,
                "by": msgspec.to_builtins(item.by) if item.by else None,
            }
            for item in secret_usage.files
        ],
        "settings": [shape_link(setting) for setting in secret_usage.settings],
        "used": [
            {
                "infra": item.infra,
                "id": item.id,
                **shape_link(item.link),
                "file": item.file or None,
                "reads": [
                    {"secret": name, "through": list(way)} for name, way in item.reads.items()
                ],
                "newer": item.is_newer,
                "applied": msgspec.to_builtins(item.applied) if item.applied else None,
            }
            for item in secret_usage.used
        ],
    }


def shape_error(error: ProvisioningError) -> Shape:
    """Return *error*, the same everywhere it is shown."""
    shape: Shape = {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "retryable": error.retryable,
        "source": shape_source(error.source),
    }
    if isinstance(error, InvalidWorkspace):
        shape["problems"] = [shape_error(problem) for problem in error.problems]
    return shape


def shape_review(review: PullReview) -> Shape:
    """Return what was found of a pull request."""
    return {
        "pull": review.pull.number,
        "url": review.pull.url,
        "head": review.pull.head,
        "merged": review.pull.merged,
        "state": review.state,
        "message": review.headline,
        "trusted": review.is_trusted,
        "infras": [_shape_infra_review(infra) for infra in review.infras],
        "exposures": [
            {"file": exposure.file, "line": exposure.line, "what": exposure.what}
            for exposure in review.exposures
        ],
        "overlaps": {str(pull): list(places) for pull, places in review.overlaps.items()},
    }


def _shape_infra_review(review: InfraReview) -> Shape:
    return {
        "infra": review.infra,
        "state": review.state,
        "message": review.headline,
        "plan": shape_plan(review.plan) if review.plan else None,
        "verdicts": [
            {"code": violation.code, "reason": violation.reason} for violation in review.violations
        ],
        "error": shape_error(review.error) if review.error else None,
        "waiting": [change.id for change in review.unreviewed],
        "run": review.run.run if review.run else None,
    }


def shape_diff(
    differences: Mapping[ResourceId, tuple[FieldChange, ...]], missing: Sequence[ResourceId]
) -> Shape:
    """Return what is live but not as it was recorded."""
    return {
        "changed": [
            {"id": name, "fields": [shape_field(field) for field in fields]}
            for name, fields in differences.items()
        ],
        "missing": list(missing),
    }


def shape_proof(infra: str, proof: Proof, snapshot: LogSnapshot | None) -> Shape:
    """Return what is wrong with a state log, and what its first entry stands for."""
    return {
        "infra": infra,
        "entries": proof.entries,
        "findings": [{"commit": it.commit, "message": it.message} for it in proof.findings],
        "snapshot": msgspec.to_builtins(snapshot) if snapshot else None,
    }


def shape_compaction(infra: str, snapshot: LogSnapshot, archive: str | None) -> Shape:
    """Return what became of a state log, and where all of it is kept."""
    return {"infra": infra, "snapshot": msgspec.to_builtins(snapshot), "archive": archive}

"""Redacts the foreign texts of a review before they are rendered.

Only values and errors are redacted. Names, ids and paths are in Git for everybody to read, and the
text around them is ours: redacting those would disclose a secret, or break the comment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from provisioning.core.model.errors import InvalidWorkspace, ProvisioningError
from provisioning.core.model.values import Tree
from provisioning.core.plan.diff import FieldChange
from provisioning.core.plan.plan import Drifted, Plan, PlannedChange
from provisioning.core.reviews.findings import InfraReview, PullReview

Redact = Callable[[str], str]


def redact_review(review: PullReview, redact: Redact) -> PullReview:
    """Return *review* as everybody may see it; its plans keep neither digests nor effects."""
    return replace(review, infras=tuple(redact_infra(infra, redact) for infra in review.infras))


def redact_infra(review: InfraReview, redact: Redact) -> InfraReview:
    """Return the findings of one infra, redacted."""
    run, differences = review.run, review.manifest_changes
    return replace(
        review,
        error=review.error and redact_error(review.error, redact),
        plan=review.plan and _redact_plan(review.plan, redact),
        unreviewed=_redact_changes(review.unreviewed, redact),
        run=run
        and replace(
            run,
            changes=tuple(
                replace(item, error=redact(item.error)) if item.error else item
                for item in run.changes
            ),
        ),
        manifest_changes=differences
        and tuple(replace(item, fields=redact_fields(item.fields, redact)) for item in differences),
    )


def redact_error(error: ProvisioningError, redact: Redact) -> ProvisioningError:
    """Return a copy of *error* whose message and hint are redacted."""
    if isinstance(error, InvalidWorkspace):
        return InvalidWorkspace([redact_error(item, redact) for item in error.problems])
    copy = type(error).__new__(type(error))
    copy.__dict__.update(error.__dict__)
    copy.message, copy.hint = redact(error.message), error.hint and redact(error.hint)
    copy.args = (copy.message,)
    return copy


def redact_drifted(drifted: Drifted, redact: Redact) -> Drifted:
    """Return *drifted* with its values redacted."""
    return replace(drifted, fields=redact_fields(drifted.fields, redact))


def redact_fields(fields: Iterable[FieldChange], redact: Redact) -> tuple[FieldChange, ...]:
    """Return *fields* with their values redacted."""
    return tuple(
        replace(
            field,
            before=_redact_tree(field.before, redact),
            after=_redact_tree(field.after, redact),
        )
        for field in fields
    )


def _redact_plan(plan: Plan, redact: Redact) -> Plan:
    return replace(
        plan,
        changes=_redact_changes(plan.changes, redact),
        blocked=tuple(
            replace(item, reason=redact(item.reason), hint=item.hint and redact(item.hint))
            for item in plan.blocked
        ),
        drifted=tuple(redact_drifted(item, redact) for item in plan.drifted),
    )


def _redact_changes(changes: Iterable[PlannedChange], redact: Redact) -> tuple[PlannedChange, ...]:
    return tuple(replace(change, fields=redact_fields(change.fields, redact)) for change in changes)


def _redact_tree(tree: Tree, redact: Redact) -> Tree:
    match tree:
        case str():
            return redact(tree)
        case dict():
            return {redact(name): _redact_tree(item, redact) for name, item in tree.items()}
        case list() | tuple():
            return [_redact_tree(item, redact) for item in tree]
    return tree

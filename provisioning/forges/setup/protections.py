"""The protection that branches need, computed from what there is, which is only tightened.

The one exception is what would stop the product itself. It needs no forced push and no deletion:
a state log and a review only grow, whoever holds the lock, and a steal is one more commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec
from msgspec.structs import replace

from provisioning.core.policy.review_records import REVIEWS
from provisioning.core.reviews.findings import CONTEXT
from provisioning.core.statelog.transitions import OURS
from provisioning.forges.gitea.globs import matches
from provisioning.forges.setup.facts import Protection, Wanted

_HEADS = "refs/heads/"


class ProtectionTarget(msgspec.Struct, frozen=True):
    """Branches to protect: by which *pattern*, some that it must hold for, and how."""

    pattern: str
    samples: tuple[str, ...]
    tighten: Callable[[Protection], Protection]


def list_targets(wanted: Wanted, login: str) -> tuple[ProtectionTarget, ...]:
    """Return what is to be protected so that only *login* writes what is the product's."""
    logs, reviews = (item.removeprefix(_HEADS) for item in (OURS, REVIEWS))
    return (
        ProtectionTarget(
            wanted.branch, (wanted.branch,), lambda old: _tighten_branch(old, wanted, login)
        ),
        ProtectionTarget(
            f"{logs}**",
            tuple(f"{logs}{infra}" for infra in wanted.infras or ("infra",)),
            lambda old: _tighten_log(old, login),
        ),
        ProtectionTarget(f"{reviews}**", (f"{reviews}1",), lambda old: _tighten_log(old, login)),
    )


def _tighten_branch(old: Protection, wanted: Wanted, login: str) -> Protection:
    pushers = old.pushers
    if wanted.needs_approval and pushers is None:
        pushers = frozenset()
    mergers = old.mergers
    if wanted.applies_first and mergers is not None:
        mergers |= {login}
    is_checked = any(matches(check, CONTEXT) for check in old.checks)
    return replace(
        old,
        pushers=pushers,
        can_force=False,
        mergers=mergers,
        checks=old.checks if is_checked else (*old.checks, CONTEXT),
        approvals=max(old.approvals, int(wanted.needs_approval)),
        drops_stale=True,
    )


def _tighten_log(old: Protection, login: str) -> Protection:
    return replace(
        old,
        pushers=(old.pushers or frozenset()) | {login},
        can_force=False,
        needs_signatures=False,
        guarded_files="",
    )


def find_effective(rules: Sequence[Protection], branch: str) -> Protection | None:
    """Return the rule that counts for *branch*, of *rules* in the forge's order."""
    return next((rule for rule in rules if matches(rule.pattern, branch)), None)


def compute_protection(
    target: ProtectionTarget, rules: Sequence[Protection]
) -> tuple[Protection | None, Protection]:
    """Return the rule of *target* as it is, None if there is none, and as it must be."""
    old = next((rule for rule in rules if rule.pattern == target.pattern), None)
    new = target.tighten(old or Protection(pattern=target.pattern))
    if _list_shadowing(target, rules):
        new = replace(new, priority=min(0, *(rule.priority for rule in rules)) - 1)
    return old, new


def _list_shadowing(target: ProtectionTarget, rules: Sequence[Protection]) -> list[Protection]:
    """Return others' rules that count for a branch of *target*, and are too lax or stop us."""
    found = [find_effective(rules, sample) for sample in target.samples]
    foreign = [item for item in found if item and item.pattern != target.pattern]
    return [item for item in foreign if target.tighten(item) != item]


def describe_protection(
    target: ProtectionTarget, old: Protection | None, new: Protection, rules: Sequence[Protection]
) -> tuple[str, ...]:
    """Say what changes from *old* to *new*."""
    return tuple(_describe(old, new, _list_shadowing(target, rules)))


def _describe(
    old: Protection | None, new: Protection, shadowing: Sequence[Protection]
) -> Iterator[str]:
    before = old or Protection(pattern=new.pattern)
    if new.pushers != before.pushers and new.pushers is not None:
        yield f"only {_join(new.pushers)} may push" if new.pushers else "nobody may push"
    if old is None or before.can_force:
        yield "no forced push, no deletion"
    if new.mergers != before.mergers and new.mergers is not None:
        yield f"only {_join(new.mergers)} may merge"
    if new.checks != before.checks:
        yield f"a merge waits for the status {CONTEXT}"
    if new.approvals != before.approvals:
        yield f"a merge waits for {new.approvals} approval"
    if new.drops_stale and not before.drops_stale:
        yield "a push takes approvals back"
    if before.needs_signatures and not new.needs_signatures:
        yield "commits need no signature, for ours have none"
    if before.guarded_files and not new.guarded_files:
        yield "no file is exempt from pushes"
    if new.priority != before.priority:
        names = _join({item.pattern for item in shadowing})
        yield f"it goes before the protection of {names}"


def _join(names: frozenset[str] | set[str]) -> str:
    return ", ".join(sorted(names))

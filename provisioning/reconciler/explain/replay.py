"""Computes the plan of a past run again, from the recorded inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import dropwhile, islice
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from provisioning import __version__
from provisioning.core.expressions.interpolation import Reference
from provisioning.core.expressions.references import Lookup
from provisioning.core.model.errors import InvalidArgument, ProvisioningError, Source
from provisioning.core.model.ids import CommitId, ResourceId
from provisioning.core.model.records import Begin, Inputs
from provisioning.core.model.states import RecordedState
from provisioning.core.model.values import Digest, Tree, compute_fingerprint, from_json, list_keys
from provisioning.core.plan.plan import Plan
from provisioning.core.plan.replay import find_changed_reads, restore_live
from provisioning.core.policy.conflicts import REACH
from provisioning.gitstore.statelog.entries import EntryHead, walk_entries
from provisioning.reconciler.execution.recovery import compute_unfinished
from provisioning.reconciler.gatekeeper import restrict_plan
from provisioning.reconciler.planning.plan_result import RunRequest

if TYPE_CHECKING:
    from provisioning.gitstore.repository.repository import Repository
    from provisioning.gitstore.statelog.git_statelog import StateLog
    from provisioning.reconciler.cycle import Reconciler


class BegunRun(msgspec.Struct, frozen=True, kw_only=True):
    """How a run began: its intention, and the head of the state log before it."""

    begin: Begin
    before: CommitId | None


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """The plan computed again, and the reasons for a difference.

    `plan` is None if it cannot be computed.
    """

    begin: Begin
    plan: Plan | None
    reasons: tuple[str, ...]

    @property
    def digest(self) -> Digest | None:
        """The digest of the plan computed now."""
        return self.plan.digest if self.plan else None

    @property
    def is_same(self) -> bool:
        """Whether both plans are the same."""
        return self.digest == self.begin.digest


def find_run(repository: Repository, log: StateLog, text: str) -> BegunRun:
    """Return the begin of the run *text*, its number or its id.

    Raises:
        InvalidArgument: If the state log has no such run.
    """
    found: EntryHead | None = None
    entry: EntryHead | None = None
    for entry in walk_entries(repository, log.read().head):
        name = entry.trailers.get("Run-Id", "") if text in entry.message else ""
        if text in {name, name.partition("-")[0]} and name:
            if "Plan-Digest" in entry.trailers and not entry.is_record:
                found = entry
        elif found:
            break
    if found is None:
        gone = (
            f" any more: it begins with a snapshot of {entry.story}"
            if entry and entry.is_snapshot
            else ""
        )
        raise InvalidArgument(
            f"the log of {log.infra} has no run {text!r}{gone}",
            hint=f"`provisioning log {log.infra}` lists them",
        )
    begin = log.read_at(found.id).begin
    assert begin is not None  # noqa: S101  such an entry writes it
    return BegunRun(begin=begin, before=found.parent)


def replay_run(reconciler: Reconciler, log: StateLog, begun: BegunRun) -> Replay:
    """Compute the plan of *begun* again, from Git alone, with the reconciler at its commit."""
    begin = begun.begin
    if begin.inputs is None:
        reason = "its inputs are not recorded: an older release made it, or it changed only the log"
        return Replay(begin=begin, plan=None, reasons=(reason,))
    context, inputs = reconciler.context, begin.inputs
    key = next((key for key in list_keys(context.key) if _is_key(inputs, key)), context.key)
    reasons = list(_compare_environment(inputs, key))
    planner = reconciler.planner
    lookup = _build_lookup(planner.lookup, inputs)
    planner = replace(planner, lookup=lookup, context=replace(context, key=key))
    try:
        desired = planner.read_desired(begin.commit)
        view = log.read_at(begun.before)
        records = log.read_records(view)
        unfinished = compute_unfinished(records, view.begin, ())
        recorded = RecordedState(head=view.head, records=records, unfinished=unfinished)
        restore = partial(restore_live, inputs, kinds=context.kinds, owner=context.owner)
        corrects = frozenset(inputs.corrects)
        request = RunRequest(commit=begin.commit, reason=begin.reason, corrects=corrects)
        plan = planner.plan_states(request, view, desired, recorded, restore).plan
        history = dropwhile(lambda item: item.id != begun.before, log.read_history())
        plan = restrict_plan(
            plan,
            targets=inputs.targets,
            excludes=inputs.excludes,
            suspended=view.suspended,
            time=begin.started_at,
            history=islice(history, REACH),
        )
    except ProvisioningError as exc:
        return Replay(begin=begin, plan=None, reasons=(*reasons, str(exc)))
    if plan.digest == begin.digest:
        return Replay(begin=begin, plan=plan, reasons=())
    changed = find_changed_reads(inputs, desired.reads, key)
    reasons += [f"{name} had another value then" for name in changed]
    reasons += _compare_changes(begin, plan)
    return Replay(begin=begin, plan=plan, reasons=tuple(reasons))


def _build_lookup(lookup: Lookup, inputs: Inputs) -> Lookup:
    """Return a lookup that answers with the recorded facts: date, paths, other infras."""

    def answer(reference: Reference, source: Source) -> Tree:
        name = str(reference)
        return from_json(inputs.facts[name]) if name in inputs.facts else lookup(reference, source)

    return answer


def _is_key(inputs: Inputs, key: bytes) -> bool:
    return inputs.key == compute_fingerprint(None, key).fingerprint


def _compare_environment(inputs: Inputs, key: bytes) -> Iterator[str]:
    if inputs.release != __version__:
        yield f"release {inputs.release} made the plan, and this is {__version__}"
    if not _is_key(inputs, key):
        yield "the fingerprints were made with another key: replay it on the machine where it ran"


def _compare_changes(begin: Begin, plan: Plan) -> Iterator[str]:
    then: dict[ResourceId, set[str]] = {}
    for intent in begin.intents:
        if intent.run == begin.run:
            then.setdefault(intent.id, set()).add(str(intent.action))
    now: Mapping[ResourceId, str] = {change.id: str(change.action) for change in plan.changes}
    for name in sorted(then.keys() - now.keys()):
        yield f"{name}: {' and '.join(sorted(then[name]))} then, nothing now"
    for name in sorted(now.keys() - then.keys()):
        yield f"{name}: nothing then, {now[name]} now"
    for name in sorted(then.keys() & now.keys()):
        wanted = {"create", "delete"} if now[name] == "replace" else {now[name]}
        if then[name] != wanted and now[name] != "update":
            yield f"{name}: {' and '.join(sorted(then[name]))} then, {now[name]} now"

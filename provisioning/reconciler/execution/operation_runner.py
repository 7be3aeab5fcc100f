"""Makes one operation once: in a worker's thread, journalled, checked, and never twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from provisioning.core.expressions.interpolation import Reference
from provisioning.core.expressions.references import KnownValues, expand_spec, resolve_spec
from provisioning.core.formats.documents import MAX_DEPTH, TOO_DEEP
from provisioning.core.model.errors import Fenced, ProviderError, Source
from provisioning.core.model.ids import Mark, ResourceId, RunId, build_owner
from provisioning.core.model.kinds import LOCATION, Kind, OfKind, get_kind
from provisioning.core.model.providers import Call, ObservationTarget, Present, Provider, Unreadable
from provisioning.core.model.records import Action, Intent, Record
from provisioning.core.model.redaction import Redactor
from provisioning.core.model.resources import Timeouts
from provisioning.core.model.sensitive import (
    find_encrypted,
    has_secret,
    list_secret_texts,
    mark_secrets,
    reveal,
)
from provisioning.core.model.states import DesiredState
from provisioning.core.model.values import Tree, has_unknown, is_deeper, render_path
from provisioning.core.plan.diff import compute_diff, compute_recorded
from provisioning.core.plan.ignored_fields import keep_ignored
from provisioning.core.plan.observation_targets import build_target
from provisioning.core.plan.operations import Operation, Step
from provisioning.core.plan.plan import PlannedChange
from provisioning.localstore.journal import Journal
from provisioning.reconciler.execution.lease import Lease
from provisioning.reconciler.execution.provider_calls import (
    call_provider,
    check_attributes,
    observe_targets,
)


class Made(msgspec.Struct, frozen=True):
    """An operation that was made: the resource's attributes, and its record (None: gone).

    `unchanged` tells that, now that all is known, there was nothing to do.
    """

    attributes: Mapping[str, Tree]
    record: Record | None
    unchanged: bool = False


@dataclass(slots=True, kw_only=True)
class OperationRunner:
    """Everything an attempt needs; one for each run, shared by its threads.

    `known` gives the attributes of every resource that stands: from the plan's outlook, and
    of each as soon as it is applied.
    """

    run: RunId
    workspace: str
    desired: DesiredState
    kinds: Mapping[str, Kind]
    providers: Mapping[str, Provider]
    journal: Journal
    lease: Lease
    key: bytes = field(repr=False)
    timeout: float
    known: dict[ResourceId, Mapping[str, Tree]]
    redactor: Redactor

    def attempt(self, operation: Operation) -> Made:
        """Make *operation*.

        Raises:
            ProviderError: If the provider could not, or broke its contract.
            Fenced: If the lock was lost before the call.
            StorageFailed: If the journal could not be written before the call.
        """
        try:
            return self._attempt(operation)
        except ProviderError as exc:
            self.redactor.redact_error(exc)
            raise

    def _attempt(self, operation: Operation) -> Made:
        match operation.step:
            case Step.FORGET:
                return Made({}, None)
            case Step.DELETE:
                return self._delete(operation)
        spec = self._keep_others(operation, self._resolve(operation))
        if operation.step is Step.ADOPT or self._is_settled(operation, spec):
            live = operation.change.live.attributes if operation.change.live else {}
            live = self._mark(operation, live, spec)
            return Made(live, self._build_record(operation, spec, live), unchanged=True)
        return self._write(operation, spec)

    def _resolve(self, operation: Operation) -> dict[str, Tree]:
        resource = operation.change.resource
        assert resource is not None  # noqa: S101  only a removal has none
        kind = get_kind(self.kinds, resource)
        written = resolve_spec(resource, self._look_up)
        if resource.templated and is_deeper(written, MAX_DEPTH):
            raise ProviderError(f"the spec of {resource.id} came out wrong: {TOO_DEEP}")
        if resource.templated and (problems := kind.find_problems(written, set())):
            first = problems[0]
            raise ProviderError(
                f"spec.{render_path(first.path)} of {resource.id} came out wrong: {first.message}"
            )
        if (path := find_encrypted(reveal(written))) is not None:
            raise ProviderError(
                f"spec.{render_path(path)} of {resource.id} is still encrypted",
                hint="refer to it as {{secrets.FILE.KEY}}, so that it is decrypted",
            )
        has_secrets = self.desired.has_secrets or bool(resource.references)
        is_secret = has_secrets and has_secret(written)
        return expand_spec(kind, written, self.desired.files, is_secret=is_secret)

    def _keep_others(self, operation: Operation, spec: dict[str, Tree]) -> dict[str, Tree]:
        """Return *spec* with what belongs to others as it is now."""
        resource, live = operation.change.resource, operation.change.live
        if resource is None or live is None or operation.step is Step.CREATE:
            return spec
        if not resource.lifecycle.ignore_fields:
            return spec
        return keep_ignored(resource.lifecycle, spec, self._mark(operation, live.attributes, spec))

    def get_timeout(self, operation: Operation) -> float:
        """Return the seconds that the call of *operation* may take."""
        change = operation.change
        subject = change.record if operation.step is Step.DELETE else change.resource
        timeouts = subject.lifecycle.timeouts if subject else Timeouts()
        wanted = {
            Step.CREATE: timeouts.create,
            Step.UPDATE: timeouts.update,
            Step.DELETE: timeouts.delete,
        }.get(operation.step)
        return self.timeout if wanted is None else wanted

    def _look_up(self, reference: Reference, source: Source) -> Tree:
        if reference.resource is None:
            return self.desired.secrets[str(reference)]
        name = ResourceId(reference.steps[0])
        values = self.known[name]
        return KnownValues(name, values).get(reference.steps[1:], reference, source)

    def _is_settled(self, operation: Operation, spec: Mapping[str, Tree]) -> bool:
        """Tell whether all that was unknown came out as it already is."""
        change = operation.change
        if operation.step is not Step.UPDATE or not change.fields or change.live is None:
            return False
        if change.moved_from or change.record is None or change.live.is_littered:
            return False
        kind = get_kind(self.kinds, change)
        return not compute_diff(kind, spec, change.record.spec, change.live.attributes, self.key)

    def _write(self, operation: Operation, spec: dict[str, Tree]) -> Made:
        change, provider = operation.change, self.providers[operation.change.provider]
        self._begin(operation, self._get_place(operation, spec))
        call = self._build_call(operation, spec)
        write = provider.create if operation.step is Step.CREATE else provider.update
        answer = call_provider(provider, lambda: write(call))
        kind = get_kind(self.kinds, change)
        attributes = check_attributes(provider, change.id, kind, spec, answer, self.key)
        attributes = mark_secrets(kind, attributes, spec)
        self.journal.end(operation.number, self._keep(change, attributes))
        return Made(attributes, self._build_record(operation, spec, attributes))

    def _delete(self, operation: Operation) -> Made:
        change, live = operation.change, operation.change.live
        attributes = live.attributes if live else {}
        if change.action is Action.REPLACE and self._is_taken_over(change, attributes):
            return Made({}, None)
        provider = self.providers[(change.record or change).provider]
        self._begin(operation, self._mark(operation, attributes, {}))
        call = self._build_call(operation, {})
        call_provider(provider, lambda: provider.delete(call))
        self.journal.end(operation.number, {})
        return Made({}, None)

    def _is_taken_over(self, change: PlannedChange, old: Mapping[str, Tree]) -> bool:
        """Tell whether the new came out to be where the old was, and so took its place."""
        kind = get_kind(self.kinds, change)
        if not kind.identity or not old.keys() >= {*kind.identity}:
            return False
        if change.record and change.record.provider != change.provider and not kind.location:
            return False
        if kind.pick_place(old) == kind.pick_place(self.known.get(change.id, {})):
            return True
        return not change.old_first and self._bears_new_mark(change, old)

    def _bears_new_mark(self, change: PlannedChange, old: Mapping[str, Tree]) -> bool:
        """Observe the resource at *old*, and return whether this run has marked it.

        Two spellings can name one place, as a folder below two roots: what was made there as the
        new must not be deleted as the old.
        """
        subject = change.record or change
        provider = self.providers[subject.provider]
        target = ObservationTarget(
            id=change.id, kind=change.kind, provider=subject.provider, attributes=old
        )
        owner = f"{self.workspace}/{self.desired.infra}"
        match observe_targets(provider, owner, [target])[0]:
            case Unreadable(reason):
                raise ProviderError(f"{change.id} cannot be read before its removal: {reason}")
            case Present(_, mark):
                return mark is not None and mark.run == self.run
        return False

    def _begin(self, operation: Operation, place: Mapping[str, Tree]) -> None:
        intent = build_intent(operation, self.run, self._keep(operation.change, place))
        self.lease.check()
        if operation.step is Step.CREATE:
            self.lease.intend(intent)
        self.journal.begin(intent)
        remaining = self.lease.get_remaining()
        if remaining is not None and remaining <= 0:
            raise Fenced(
                f"the lease of run {self.run} ends before {operation.change.id} could be changed",
                hint="the remote did not answer in time; run again when it does",
            )

    def _get_place(self, operation: Operation, spec: Mapping[str, Tree]) -> Mapping[str, Tree]:
        kind, live = get_kind(self.kinds, operation.change), operation.change.live
        if operation.step is Step.CREATE:
            return kind.pick_place(spec)
        return self._mark(operation, live.attributes, spec) if live else {}

    def _mark(
        self, operation: Operation, values: Mapping[str, Tree], spec: Mapping[str, Tree]
    ) -> dict[str, Tree]:
        """Return *values*, which a provider gave, with what is or was secret marked."""
        kind, record = get_kind(self.kinds, operation.change), operation.change.record
        marked = mark_secrets(kind, values, spec)
        return mark_secrets(kind, marked, record.spec) if record else marked

    def _build_call(self, operation: Operation, spec: Mapping[str, Tree]) -> Call:
        change, timeout = operation.change, self.get_timeout(operation)
        remaining = self.lease.get_remaining()
        live = change.live.attributes if change.live and operation.step is not Step.CREATE else {}
        self._learn(get_kind(self.kinds, change), spec, live)
        owner = build_owner(self.workspace, self.desired.infra, change.id)
        if operation.step is Step.DELETE and change.live and change.live.mark:
            owner = change.live.mark.owner
        return Call(
            id=change.id,
            kind=change.kind,
            mark=Mark(owner, self.run, operation.number),
            spec=reveal(spec),
            attributes=live,
            deadline=timeout if remaining is None else min(timeout, remaining),
            origin=f"{self.workspace}/{change.moved_infra}" if change.moved_infra else "",
        )

    def _learn(self, kind: Kind, *sides: Mapping[str, Tree]) -> None:
        """Redact the sensitive values of *sides*, which a provider of *kind* receives."""
        if kind.tree.hides:
            marked = [mark_secrets(kind, side, {}) for side in sides]
            for text in list_secret_texts(marked):
                self.redactor.add(text)

    def _keep(self, subject: OfKind, values: Mapping[str, Tree]) -> dict[str, Tree]:
        return compute_recorded(get_kind(self.kinds, subject), values, self.key)

    def _build_record(
        self, operation: Operation, spec: Mapping[str, Tree], attributes: Mapping[str, Tree]
    ) -> Record:
        resource = operation.change.resource
        assert resource is not None  # noqa: S101  only a removal has none
        return Record(
            id=resource.id,
            kind=resource.kind,
            provider=resource.provider,
            spec=self._keep(resource, spec),
            attributes=self._keep(resource, attributes),
            run=self.run,
            operation=operation.number,
            source=resource.source,
            depends_on=resource.dependencies,
            lifecycle=resource.lifecycle,
        )

    def salvage(self, operation: Operation, error: str) -> Record | None:
        """Look what a failed creation has left; return the record of it, None if nothing."""
        change = operation.change
        try:
            record = self.build_provisional(operation, error)
        except ProviderError:
            return None  # its spec came out wrong, so that it was never sent
        target = build_target(record, record.attributes)
        owner = f"{self.workspace}/{self.desired.infra}"
        seen = observe_targets(self.providers[change.provider], owner, [target])[0]
        match seen:
            case Unreadable():
                return record
            case Present(attributes, mark) if mark and mark.owner == f"{owner}/{change.id}":
                spec = self._resolve(operation)
                marked = mark_secrets(get_kind(self.kinds, change), attributes, spec)
                kept = self._keep(change, marked)
                return msgspec.structs.replace(record, attributes=kept)
        return None

    def build_provisional(self, operation: Operation, error: str) -> Record:
        """Return the record that keeps what *operation* may have made ours until a look at it."""
        place = get_kind(self.kinds, operation.change).pick_place(self._resolve(operation))
        record = self._build_record(operation, {}, place)
        return msgspec.structs.replace(record, error=error)


def foresee_intent(operation: Operation, run: RunId, kinds: Mapping[str, Kind]) -> Intent:
    """Describe *operation* with all that the plan knows of where it will put something."""
    change = operation.change
    if operation.step is not Step.CREATE:
        return build_intent(operation, run, {})
    live = change.live.attributes if change.live else {}
    known = {item.path: item.after for item in change.fields if not has_unknown(item.after)}
    unknown = {item.path for item in change.fields} - known.keys()
    kind = get_kind(kinds, change)
    place = kind.pick_place({**live, **known})
    if kind.location:
        place[LOCATION] = dict(kind.location)
    place = {name: value for name, value in place.items() if name not in unknown}
    return build_intent(operation, run, place)


def build_intent(operation: Operation, run: RunId, place: Mapping[str, Tree]) -> Intent:
    """Describe *operation* as the state log and the journal keep it."""
    change = operation.change
    return Intent(
        operation=operation.number,
        id=change.id,
        action=Action(operation.step),
        kind=change.kind,
        provider=change.provider,
        run=run,
        attributes=dict(place),
        depends_on=change.resource.dependencies if change.resource else (),
        moved_from=change.moved_from
        if operation.step is Step.UPDATE and not change.moved_infra
        else None,
    )

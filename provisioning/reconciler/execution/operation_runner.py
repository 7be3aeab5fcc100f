"""Executes one operation once: in a worker's thread, journalled, checked, and never twice."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from provisioning.core.expressions.interpolation import Reference
from provisioning.core.expressions.references import KnownValues, expand_spec, resolve_spec
from provisioning.core.formats.documents import MAX_DEPTH, TOO_DEEP
from provisioning.core.model.errors import Fenced, HalfMade, ProviderError, Source
from provisioning.core.model.ids import Mark, ResourceId, RunId, build_owner
from provisioning.core.model.kinds import (
    HANDED_OVER,
    HANDLE,
    LOCATION,
    Kind,
    OfKind,
    find_kind,
    get_kind,
)
from provisioning.core.model.providers import Call, Pending, Present, Provider, Unreadable
from provisioning.core.model.records import Action, Intent, Record
from provisioning.core.model.resources import Timeouts
from provisioning.core.model.sensitive import (
    find_encrypted,
    has_secret,
    list_secret_texts,
    mark_secrets,
    reveal,
)
from provisioning.core.model.values import Tree, has_unknown, is_deeper, render_path
from provisioning.core.plan.diff import compute_diff, compute_recorded
from provisioning.core.plan.ignored_fields import keep_ignored
from provisioning.core.plan.observation_targets import build_target
from provisioning.core.plan.operations import Operation, Step
from provisioning.core.plan.plan import PlannedChange
from provisioning.localstore.journal import Journal
from provisioning.reconciler.context import InfraContext
from provisioning.reconciler.execution.lease import Lease
from provisioning.reconciler.execution.provider_calls import (
    call_provider,
    check_attributes,
    check_pending,
    check_recordable,
    observe_targets,
)
from provisioning.reconciler.planning.plan_result import PlanResult


class Made(msgspec.Struct, frozen=True):
    """An operation that was made: the resource's attributes, and its record (None: gone).

    `unchanged`: now that all is known, there was nothing to do.
    """

    attributes: Mapping[str, Tree]
    record: Record | None
    unchanged: bool = False


class OperationRunner:
    """Executes the operations of one run; shared by its threads.

    `known` has the attributes of every resource that exists: those that the plan knows, and those
    of each resource as soon as it is applied.
    """

    def __init__(
        self, context: InfraContext, planned: PlanResult, lease: Lease, journal: Journal
    ) -> None:
        self.context = context
        self.known: dict[ResourceId, Mapping[str, Tree]] = dict(planned.plan.known_values)
        self.run = lease.begin.run
        self._desired = planned.desired
        self._redactor = planned.desired.build_redactor()
        self._lease = lease
        self._journal = journal

    def attempt(self, operation: Operation, handle: str = "") -> Made | Pending:
        """Execute *operation* once, or ask about the one under way that *handle* names.

        Raises:
            ProviderError: If the provider could not, or broke its contract.
            Fenced: If the lock was lost before the call.
            StorageFailed: If the journal could not be written before the call.
        """
        try:
            return self._attempt(operation, handle)
        except ProviderError as exc:
            self._redactor.redact_error(exc)
            raise

    def _attempt(self, operation: Operation, handle: str) -> Made | Pending:
        match operation.step:
            case Step.FORGET:
                return Made({}, None)
            case Step.DELETE:
                return self._delete(operation, handle)
        spec = self._keep_ignored(operation, self._resolve(operation))
        if operation.step is Step.ADOPT or self._is_unchanged(operation, spec):
            live = operation.change.live.attributes if operation.change.live else {}
            live = self._mark(operation, live, spec)
            return Made(live, self._build_record(operation, spec, live), unchanged=True)
        return self._write(operation, spec, handle)

    def _resolve(self, operation: Operation) -> dict[str, Tree]:
        resource = operation.change.resource
        assert resource is not None  # noqa: S101  only a removal has none
        kind = get_kind(self.context.kinds, resource)
        written = resolve_spec(resource, self._resolve_reference)
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
        has_secrets = self._desired.has_secrets or bool(resource.references)
        is_secret = has_secrets and has_secret(written)
        for _, reason in kind.find_exposures(written) if is_secret else ():
            raise ProviderError(f"{resource.id}: {reason}", hint=HANDED_OVER)
        return expand_spec(kind, written, self._desired.files, is_secret=is_secret)

    def _keep_ignored(self, operation: Operation, spec: dict[str, Tree]) -> dict[str, Tree]:
        """Return *spec* with its ignored fields as they are now."""
        resource, live = operation.change.resource, operation.change.live
        if not resource or not live or operation.step is Step.CREATE:
            return spec
        lifecycle = resource.lifecycle
        if not lifecycle.ignore_fields:
            return spec
        return keep_ignored(lifecycle, spec, self._mark(operation, live.attributes, spec))

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
        return self.context.settings.timeout if wanted is None else wanted

    def _resolve_reference(self, reference: Reference, source: Source) -> Tree:
        if reference.resource is None:
            return self._desired.secrets[str(reference)]
        name = ResourceId(reference.steps[0])
        values = self.known[name]
        return KnownValues(name, values).get(reference.steps[1:], reference, source)

    def _is_unchanged(self, operation: Operation, spec: Mapping[str, Tree]) -> bool:
        """Tell whether all that was unknown came out as it already is."""
        change = operation.change
        if operation.step is not Step.UPDATE or not change.fields or change.live is None:
            return False
        if change.moved_from or change.record is None or change.live.is_unfinished:
            return False
        kind, key = get_kind(self.context.kinds, change), self.context.key
        return not compute_diff(kind, spec, change.record.spec, change.live.attributes, key)

    def _write(self, operation: Operation, spec: dict[str, Tree], handle: str) -> Made | Pending:
        change, provider = operation.change, self._get_provider(operation.change)
        place = self._get_place(operation, spec)
        self._begin(operation, place, handle)
        call = self._build_call(operation, spec, handle)
        write = provider.create if operation.step is Step.CREATE else provider.update
        try:
            answer = call_provider(provider, lambda: write(call))
        except HalfMade as exc:
            attributes = check_recordable(provider, change.id, exc.attributes)
            exc.attributes = self._compute_recorded(change, self._mark(operation, attributes, spec))
            self._journal.end(operation.number, exc.attributes)
            raise
        if isinstance(answer, Pending):
            return self._pend(operation, answer, spec, handle)
        kind = get_kind(self.context.kinds, change)
        attributes = check_attributes(provider, change.id, kind, spec, answer, self.context.key)
        attributes = mark_secrets(kind, attributes, spec)
        self._journal.end(operation.number, self._compute_recorded(change, attributes))
        return Made(attributes, self._build_record(operation, spec, attributes))

    def _pend(
        self, operation: Operation, answer: Pending, spec: Mapping[str, Tree], handle: str
    ) -> Pending:
        """Record the handle of *answer*, unless it is *handle*, and return it as recorded."""
        change, provider = operation.change, self._get_provider(operation.change)
        check_pending(provider, change.id, answer)
        known = check_recordable(provider, change.id, answer.attributes)
        attributes = self._compute_recorded(change, self._mark(operation, known, spec))
        attributes[HANDLE] = answer.handle
        if answer.handle != handle:
            self._journal.pend(operation.number, attributes)
            if operation.step is Step.CREATE:
                place = {**self._compute_recorded(change, self._get_place(operation, spec))}
                place |= attributes
                self._lease.intend(build_intent(operation, self.run, place, self.context.kinds))
        return msgspec.structs.replace(answer, attributes=attributes)

    def _delete(self, operation: Operation, handle: str) -> Made | Pending:
        change, live = operation.change, operation.change.live
        attributes = live.attributes if live else {}
        if change.action is Action.REPLACE and self._is_taken_over(change, attributes):
            return Made({}, None)
        provider = self._get_provider(change.record or change)
        self._begin(operation, self._mark(operation, attributes, {}), handle)
        call = self._build_call(operation, {}, handle)
        answer = call_provider(provider, lambda: provider.delete(call))
        if isinstance(answer, Pending):
            return self._pend(operation, answer, {}, handle)
        self._journal.end(operation.number, {})
        return Made({}, None)

    def _is_taken_over(self, change: PlannedChange, old: Mapping[str, Tree]) -> bool:
        """Tell whether the new came out to be where the old was, and so took its place."""
        kind = get_kind(self.context.kinds, change)
        if not kind.identity or not old.keys() >= {*kind.identity}:
            return False
        if change.record and change.record.provider != change.provider and not kind.location:
            return False
        if kind.pick_place(old) == kind.pick_place(self.known.get(change.id, {})):
            return True
        return not change.old_first and self._has_new_mark(change, old)

    def _has_new_mark(self, change: PlannedChange, old: Mapping[str, Tree]) -> bool:
        """Observe the resource at *old*, and return whether this run has marked it.

        Two spellings can name one place, as a folder below two roots: what was made there as the
        new must not be deleted as the old.
        """
        subject = change.record or change
        target = build_target(subject, old)
        match observe_targets(self._get_provider(subject), self.context.owner, [target])[0]:
            case Unreadable(reason):
                raise ProviderError(f"{change.id} cannot be read before its removal: {reason}")
            case Present(_, mark):
                return mark is not None and mark.run == self.run
        return False

    def _begin(self, operation: Operation, place: Mapping[str, Tree], handle: str) -> None:
        """Check the lease, and write the intent unless the operation of *handle* has it already."""
        self._lease.check()
        if not handle:
            recorded = self._compute_recorded(operation.change, place)
            intent = build_intent(operation, self.run, recorded, self.context.kinds)
            if operation.step is Step.CREATE:
                self._lease.intend(intent)
            self._journal.begin(intent)
        remaining = self._lease.get_remaining()
        if remaining is not None and remaining <= 0:
            raise Fenced(
                f"the lease of run {self.run} ends before {operation.change.id} could be changed",
                hint="the remote did not answer in time; run again when it does",
            )

    def _get_place(self, operation: Operation, spec: Mapping[str, Tree]) -> Mapping[str, Tree]:
        kind, live = get_kind(self.context.kinds, operation.change), operation.change.live
        if operation.step is Step.CREATE:
            return kind.pick_place(spec)
        return self._mark(operation, live.attributes, spec) if live else {}

    def _mark(
        self, operation: Operation, values: Mapping[str, Tree], spec: Mapping[str, Tree]
    ) -> dict[str, Tree]:
        """Return *values*, which a provider gave, with what is or was secret marked."""
        kind, record = get_kind(self.context.kinds, operation.change), operation.change.record
        marked = mark_secrets(kind, values, spec)
        return mark_secrets(kind, marked, record.spec) if record else marked

    def _build_call(self, operation: Operation, spec: Mapping[str, Tree], handle: str) -> Call:
        change, timeout = operation.change, self.get_timeout(operation)
        remaining = self._lease.get_remaining()
        seen = change.live if operation.step is not Step.CREATE else None
        live = seen.attributes if seen else {}
        self._hide(get_kind(self.context.kinds, change), spec, live)
        owner = build_owner(self.context.workspace, self.context.infra, change.id)
        if operation.step is Step.DELETE and change.live and change.live.mark:
            owner = change.live.mark.owner
        return Call(
            id=change.id,
            kind=change.kind,
            api_version=change.api_version,
            mark=Mark(owner, self.run, operation.number),
            spec=reveal(spec),
            attributes={name: value for name, value in live.items() if name != HANDLE},
            handle=handle or (seen.handle if seen else ""),
            deadline=timeout if remaining is None else min(timeout, remaining),
            origin=f"{self.context.workspace}/{change.moved_infra}" if change.moved_infra else "",
        )

    def _hide(self, kind: Kind, *sides: Mapping[str, Tree]) -> None:
        """Redact the sensitive values of *sides*, which a provider of *kind* receives."""
        if kind.tree.hides:
            marked = [mark_secrets(kind, side, {}) for side in sides]
            for text in list_secret_texts(marked):
                self._redactor.add(text)

    def _get_provider(self, subject: OfKind) -> Provider:
        return self.context.providers[get_kind(self.context.kinds, subject).provider]

    def _compute_recorded(self, subject: OfKind, values: Mapping[str, Tree]) -> dict[str, Tree]:
        return compute_recorded(get_kind(self.context.kinds, subject), values, self.context.key)

    def _build_record(
        self, operation: Operation, spec: Mapping[str, Tree], attributes: Mapping[str, Tree]
    ) -> Record:
        resource = operation.change.resource
        assert resource is not None  # noqa: S101  only a removal has none
        return Record(
            id=resource.id,
            kind=resource.kind,
            provider=resource.provider,
            api_version=resource.api_version,
            provider_type=resource.provider_type,
            schema_version=get_kind(self.context.kinds, resource).schema_version,
            spec=self._compute_recorded(resource, spec),
            attributes=self._compute_recorded(resource, attributes),
            run=self.run,
            operation=operation.number,
            source=resource.source,
            depends_on=resource.dependencies,
            lifecycle=resource.lifecycle,
        )

    def salvage(self, operation: Operation, error: ProviderError) -> Record | None:
        """Observe what a failed creation has left; return its record, None if nothing is left."""
        change = operation.change
        try:
            record = self.build_provisional(operation, str(error))
        except ProviderError:
            return None  # its spec came out wrong, so that it was never sent
        if isinstance(error, HalfMade):
            known = {**record.attributes, **error.attributes}
            return msgspec.structs.replace(record, attributes=known)
        target = build_target(record, record.attributes)
        provider = self._get_provider(change)
        seen = observe_targets(provider, self.context.owner, [target])[0]
        owner = f"{self.context.owner}/{change.id}"
        match seen:
            case Unreadable():
                return record
            case Present(attributes, mark) if mark and mark.owner == owner:
                spec = self._resolve(operation)
                marked = mark_secrets(get_kind(self.context.kinds, change), attributes, spec)
                attributes = self._compute_recorded(change, marked)
                return msgspec.structs.replace(record, attributes=attributes)
        return None

    def build_provisional(self, operation: Operation, error: str) -> Record:
        """Return the record that keeps what *operation* may have made ours until it is observed."""
        place = get_kind(self.context.kinds, operation.change).pick_place(self._resolve(operation))
        record = self._build_record(operation, {}, place)
        return msgspec.structs.replace(record, error=error)

    def build_unfinished(
        self, operation: Operation, error: str, pending: Pending | None
    ) -> Record | None:
        """Return the record of a resource whose *operation* has not ended; None keeps it as it is.

        It has the handle of *pending*, by which the next run goes on with the operation.
        """
        change = operation.change
        if change.leftover or (operation.step is Step.DELETE and pending is None):
            return None
        record = change.record
        if record is None or operation.step is Step.CREATE or pending is None:
            record = self.build_provisional(operation, error)
        known = pending.attributes if pending else {}
        attributes = {**record.attributes, **known}
        return msgspec.structs.replace(record, attributes=attributes, error=error)


def foresee_intent(operation: Operation, run: RunId, kinds: Mapping[str, Kind]) -> Intent:
    """Describe *operation* with all that the plan knows of where it will put something."""
    change = operation.change
    if operation.step is not Step.CREATE:
        return build_intent(operation, run, {}, kinds)
    live = change.live.attributes if change.live else {}
    known = {item.path: item.after for item in change.fields if not has_unknown(item.after)}
    unknown = {item.path for item in change.fields} - known.keys()
    kind = get_kind(kinds, change)
    place = kind.pick_place({**live, **known})
    if kind.location:
        place[LOCATION] = dict(kind.location)
    place = {name: value for name, value in place.items() if name not in unknown}
    return build_intent(operation, run, place, kinds)


def build_intent(
    operation: Operation, run: RunId, place: Mapping[str, Tree], kinds: Mapping[str, Kind]
) -> Intent:
    """Describe *operation* for the state log and the journal."""
    change = operation.change
    kind = find_kind(kinds, change)
    return Intent(
        operation=operation.number,
        id=change.id,
        action=Action(operation.step),
        kind=change.kind,
        provider=change.provider,
        api_version=change.api_version,
        provider_type=change.provider_type,
        schema_version=kind.schema_version if kind else 1,
        run=run,
        attributes=dict(place),
        depends_on=change.resource.dependencies if change.resource else (),
        moved_from=change.moved_from
        if operation.step is Step.UPDATE and not change.moved_infra
        else None,
    )

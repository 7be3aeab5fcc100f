"""Walks the operations of a plan: bounded, in parallel, an outcome for each."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from provisioning.core.model.errors import (
    Fenced,
    ProviderError,
    ProviderThrottled,
    ProviderTransient,
    ProvisioningError,
    StorageFailed,
)
from provisioning.core.model.providers import Pending, ProbeReady, Probes, ProbeWaiting
from provisioning.core.model.records import DONE, Action, Outcome
from provisioning.core.model.sensitive import reveal
from provisioning.core.plan.operations import Operation, Step
from provisioning.core.scheduling.rate_limits import Pace
from provisioning.providers.instance import find_ability
from provisioning.reconciler.events import Event, EventKind, Listener
from provisioning.reconciler.execution.cancellation import Cancellation
from provisioning.reconciler.execution.operation_runner import Made, OperationRunner
from provisioning.reconciler.execution.outcomes import (
    BAD,
    Execution,
    OperationOutcome,
    compute_execution,
)
from provisioning.reconciler.execution.worker_pool import Finished, Workers

STOP_CHECK_INTERVAL = 0.25
"""Seconds between two checks for a request to stop."""

PROBE_FIRST, PROBE_GROWTH, PROBE_LAST = 0.02, 1.5, 1.0
"""Seconds between two probes of a resource that is not ready: the first, the factor, the most."""

GRACE = 5.0
"""Seconds a provider gets beyond its deadline before its call is given up."""


@dataclass(slots=True)
class _Task:
    """An operation on its way: which attempt it is in, and when it may go on.

    `pending` is the provider's answer that the operation goes on by itself.
    """

    operation: Operation
    attempt: int = 1
    began: float = 0.0
    deadline: float = 0.0
    made: Made | None = None
    pending: Pending | None = None
    pause: float = PROBE_FIRST
    ready_by: float = 0.0


class Executor:
    """Runs one plan's operations."""

    def __init__(
        self,
        runner: OperationRunner,
        operations: Sequence[Operation],
        *,
        stop: Cancellation,
        is_superseded: Callable[[], bool],
        listener: Listener,
    ) -> None:
        context = runner.context
        self._runner = runner
        self._operations = {item.number: item for item in operations}
        self._limits = limits = context.settings.limits
        self._probes = {
            name: probes
            for name, provider in context.providers.items()
            if (probes := find_ability(provider, Probes))
        }
        self._stop = stop
        self._is_superseded = is_superseded
        self._listener = listener
        self._now = context.clocks.monotonic
        self._workers: Workers[tuple[int, int], object] = Workers(limits.parallelism)
        self._ended: dict[int, OperationOutcome] = {}
        self._earlier = {item.number for item in operations if not item.is_last}
        self._waits = {item.number: len(item.needs) for item in operations}
        self._followers: dict[int, list[int]] = {}
        for operation in operations:
            for need in operation.needs:
                self._followers.setdefault(need, []).append(operation.number)
        self._ready = [number for number, count in self._waits.items() if not count]
        heapq.heapify(self._ready)
        self._active: dict[tuple[int, int], _Task] = {}
        self._delayed: list[tuple[float, int, _Task]] = []
        self._paces: dict[str, Pace] = {}
        self._tickets = 0
        self._fenced: Fenced | None = None
        self._halted: str = ""
        self._checked = 0.0

    def execute(self) -> Execution:
        """Run everything that can be run; return the outcome of each."""
        try:
            while len(self._ended) < len(self._operations):
                self._check_stop()
                self._dispatch()
                if not self._active and not self._delayed:
                    continue
                finished = self._workers.wait(self._compute_timeout())
                if finished is not None:
                    self._take(finished)
                self._give_up_overdue()
        finally:
            self._workers.close()
        operations = tuple(self._operations.values())
        return compute_execution(
            operations, self._ended, fenced=self._fenced, interrupted=bool(self._halted)
        )

    # Choosing what to do next

    def _check_stop(self) -> None:
        if not self._halted and self._stop.is_requested:
            self._halt("the run was asked to stop")
        if self._delayed and not self._active and not self._ready and not self._halted:
            now = self._now()
            if now - self._checked >= STOP_CHECK_INTERVAL:
                self._checked = now
                if self._is_superseded():
                    self._halt("a newer commit came")

    def _halt(self, why: str) -> None:
        """Begin nothing new, and wait for nothing; operations in progress are finished."""
        self._halted = why
        for _, _, task in self._delayed:
            self._end_waiting(task, why)
        self._delayed.clear()
        active = {number for number, _ in self._active}
        for number, operation in self._operations.items():
            if number not in self._ended and number not in active:
                self._end(operation, OperationOutcome(Outcome.SKIPPED, reason=why))
        self._ready.clear()

    def _end_waiting(self, task: _Task, why: str) -> None:
        if task.made is not None:
            self._end_unready(task, f"not seen ready, because {why}")
        elif task.pending is not None:
            self._end_pending(task, task.pending, why)
        else:
            self._end(task.operation, OperationOutcome(Outcome.SKIPPED, reason=why))

    def _dispatch(self) -> None:
        now = self._now()
        while self._delayed and self._delayed[0][0] <= now:
            task = heapq.heappop(self._delayed)[2]
            self._start(task)
        waiting: list[int] = []
        while self._ready and len(self._active) < self._limits.parallelism:
            number = heapq.heappop(self._ready)
            operation = self._operations[number]
            is_due = not (operation.is_last and self._earlier)
            if is_due and self._has_slot(operation.change.provider):
                self._notify(EventKind.OPERATION_BEGUN, operation)
                self._start(_Task(operation, began=now))
            else:
                waiting.append(number)
        for number in waiting:
            heapq.heappush(self._ready, number)

    def _has_slot(self, provider: str) -> bool:
        used = sum(task.operation.change.provider == provider for task in self._active.values())
        return used < self._get_pace(provider).slots

    def _get_pace(self, provider: str) -> Pace:
        maximum = self._limits.per_provider
        return self._paces.setdefault(provider, Pace(maximum, float(maximum)))

    def _start(self, task: _Task) -> None:
        change, made = task.operation.change, task.made
        if made is None:
            handle = task.pending.handle if task.pending else ""
            self._submit(task, lambda: self._runner.attempt(task.operation, handle))
        else:
            probes = self._probes[change.provider]
            self._submit(task, lambda: probes.probe(change.kind, reveal(dict(_merge(made)))))

    def _submit(self, task: _Task, call: Callable[[], object]) -> None:
        self._tickets += 1
        key = (task.operation.number, self._tickets)
        task.deadline = self._now() + self._runner.get_timeout(task.operation) + GRACE
        self._active[key] = task
        self._workers.submit(key, call)

    def _compute_timeout(self) -> float:
        now = self._now()
        times = [STOP_CHECK_INTERVAL, *(task.deadline - now for task in self._active.values())]
        if self._delayed:
            times.append(self._delayed[0][0] - now)
        return min(times)

    # Results of calls

    def _take(self, finished: Finished[tuple[int, int], object]) -> None:
        task = self._active.pop(finished.key, None)
        if task is None:
            return
        match finished.error, finished.answer:
            case None, Made() as made:
                self._take_made(task, made)
            case None, Pending() as pending:
                self._take_pending(task, pending)
            case None, ProbeReady():
                self._end_ready(task)
            case None, ProbeWaiting(reason):
                self._wait_on(task, reason)
            case None, OperationOutcome() as ended:
                self._end(task.operation, ended)
            case BaseException() as error, _:
                self._take_error(task, error)

    def _take_error(self, task: _Task, error: BaseException) -> None:
        match error:
            case ProviderError() if task.made is None:
                self._take_failure(task, error)
            case ProviderError():
                self._end_unready(task, error.message)
            case Fenced() | StorageFailed():
                self._end(task.operation, OperationOutcome(Outcome.FAILED, error=error))
                self._fenced = error if isinstance(error, Fenced) else self._fenced
                if not self._halted:
                    self._halt(error.message)
            case ProvisioningError():
                self._end(task.operation, OperationOutcome(Outcome.FAILED, error=error))
            case _:
                raise error

    def _take_made(self, task: _Task, made: Made) -> None:
        change = task.operation.change
        self._paces[change.provider] = self._get_pace(change.provider).with_success()
        if made.record is not None and task.operation.step is not Step.DELETE:
            self._runner.known[change.id] = _merge(made)
        task.made = made
        timeout = self._get_probe_timeout(task.operation, made)
        if timeout <= 0:
            self._end_ready(task)
            return
        task.ready_by = self._now() + timeout
        heapq.heappush(self._delayed, (self._now(), task.operation.number, task))

    def _take_pending(self, task: _Task, pending: Pending) -> None:
        now, is_first = self._now(), task.pending is None
        task.pending = pending
        if is_first:
            self._notify(EventKind.OPERATION_WAITING, task.operation, pending.reason)
            timeout = max(self._runner.get_timeout(task.operation), pending.timeout)
            task.ready_by = now + timeout
        if self._halted:
            self._end_waiting(task, self._halted)
        elif now >= task.ready_by:
            self._end_pending(task, pending, f"not finished in time: {pending.reason}")
        else:
            due = now + max(pending.seconds, PROBE_FIRST)
            heapq.heappush(self._delayed, (due, task.operation.number, task))

    def _get_probe_timeout(self, operation: Operation, made: Made) -> float:
        provider = self._probes.get(operation.change.provider)
        is_made = operation.step in {Step.CREATE, Step.UPDATE}
        if not is_made or made.record is None or provider is None:
            return 0.0
        return provider.get_probe_timeout(operation.change.kind, reveal(dict(_merge(made))))

    def _wait_on(self, task: _Task, reason: str) -> None:
        now = self._now()
        if self._halted:
            self._end_waiting(task, self._halted)
        elif now >= task.ready_by:
            self._end_unready(task, f"not ready in time: {reason}")
        else:
            if task.pause == PROBE_FIRST:
                self._notify(EventKind.OPERATION_WAITING, task.operation, reason)
            task.pause = min(PROBE_LAST, task.pause * PROBE_GROWTH)
            heapq.heappush(self._delayed, (now + task.pause, task.operation.number, task))

    def _take_failure(self, task: _Task, error: ProviderError) -> None:
        provider, is_throttled = (
            task.operation.change.provider,
            isinstance(error, ProviderThrottled),
        )
        if is_throttled:
            self._paces[provider] = self._get_pace(provider).with_throttle()
        delay = self._limits.retries.compute_delay(error, task.attempt)
        if delay is not None and not self._halted:
            event = self._build_event(EventKind.OPERATION_RETRIED, task.operation, error.message)
            self._listener(replace(event, seconds=delay, is_throttled=is_throttled))
            task.attempt += 1
            heapq.heappush(self._delayed, (self._now() + delay, task.operation.number, task))
            return
        if task.pending and isinstance(error, ProviderTransient):
            self._end_pending(task, task.pending, error.message)
            return
        outcome = Outcome.UNCERTAIN if isinstance(error, ProviderTransient) else Outcome.FAILED
        ended = OperationOutcome(outcome, error=error)
        if task.operation.step is Step.CREATE:
            self._salvage(task, ended, error)
        else:
            self._end(task.operation, ended)

    def _salvage(self, task: _Task, ended: OperationOutcome, error: ProviderError) -> None:
        """Observe, in a worker, what the failed creation has left, so that it stays ours."""

        def salvage() -> OperationOutcome:
            record = self._runner.salvage(task.operation, error)
            return replace(ended, record=record)

        self._submit(task, salvage)

    def _give_up_overdue(self) -> None:
        now = self._now()
        for key, task in list(self._active.items()):
            if now < task.deadline:
                continue
            del self._active[key]
            self._workers.abandon()
            if task.made is not None:
                self._end_unready(task, "its probe did not answer")
                continue
            operation = task.operation
            error = ProviderTransient(
                f"provider {operation.change.provider!r} did not answer in "
                f"{self._runner.get_timeout(operation):g} s"
            )
            record = self._runner.build_unfinished(operation, str(error), task.pending)
            self._end(operation, OperationOutcome(Outcome.UNCERTAIN, error=error, record=record))

    # Endings

    def _end_ready(self, task: _Task) -> None:
        made = task.made
        assert made is not None  # noqa: S101  only a made resource is ready
        is_unchanged = made.unchanged and task.operation.change.action is Action.UPDATE
        outcome = Outcome.UNCHANGED if is_unchanged else DONE[task.operation.change.action]
        self._end(task.operation, OperationOutcome(outcome, record=made.record), task)

    def _end_pending(self, task: _Task, pending: Pending, why: str) -> None:
        error = ProviderTransient(f"the {task.operation.step} is still under way: {why}")
        record = self._runner.build_unfinished(task.operation, str(error), pending)
        self._end(task.operation, OperationOutcome(Outcome.UNCERTAIN, error=error, record=record))

    def _end_unready(self, task: _Task, why: str) -> None:
        made = task.made
        record = made.record if made else None
        if record is not None:
            record = replace(record, error=why)
        hint = "`provisioning log` and the resource's own output tell more"
        error = ProviderError(why, hint=hint)
        ended = OperationOutcome(Outcome.FAILED, error=error, record=record)
        self._end(task.operation, ended, task)

    def _end(
        self, operation: Operation, ended: OperationOutcome, task: _Task | None = None
    ) -> None:
        seconds = self._now() - task.began if task else 0.0
        self._ended[operation.number] = replace(ended, seconds=seconds)
        self._earlier.discard(operation.number)
        text = ended.error.message if ended.error else ended.reason
        event = self._build_event(EventKind.OPERATION_ENDED, operation, text or ended.outcome)
        self._listener(replace(event, seconds=seconds, outcome=ended.outcome))
        for number in self._followers.get(operation.number, ()):
            if number in self._ended:
                continue
            if ended.outcome in BAD:
                skipped = OperationOutcome(
                    Outcome.SKIPPED, reason=f"{operation.change.id} {ended.outcome}"
                )
                self._end(self._operations[number], skipped)
                continue
            self._waits[number] -= 1
            if not self._waits[number]:
                heapq.heappush(self._ready, number)

    def _notify(self, kind: EventKind, operation: Operation, text: str = "") -> None:
        self._listener(self._build_event(kind, operation, text))

    def _build_event(self, kind: EventKind, operation: Operation, text: str) -> Event:
        return Event(
            kind=kind,
            infra=self._runner.context.infra,
            run=self._runner.run,
            id=operation.change.id,
            text=text or operation.step,
            done=len(self._ended),
            total=len(self._operations),
            provider=operation.change.provider,
        )


def _merge(made: Made) -> Mapping[str, object]:
    """Return what a reference to the resource can name: what was asked for, and the answer."""
    return {**(made.record.spec if made.record else {}), **made.attributes}

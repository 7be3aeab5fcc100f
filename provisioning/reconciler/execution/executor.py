"""Walks the operations of a plan: bounded, in parallel, an outcome for each."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from provisioning.core.model.errors import (
    Fenced,
    ProviderError,
    ProviderThrottled,
    ProviderTransient,
    ProvisioningError,
    StorageFailed,
)
from provisioning.core.model.providers import ProbeReady, Probes, ProbeWaiting
from provisioning.core.model.records import DONE, Action, Outcome
from provisioning.core.model.sensitive import reveal
from provisioning.core.plan.operations import Operation, Step
from provisioning.core.scheduling.rate_limits import Limits, Pace
from provisioning.providers.instance import find_ability
from provisioning.reconciler.events import Event, EventKind, Listener
from provisioning.reconciler.execution.cancellation import Cancellation
from provisioning.reconciler.execution.lease import Clocks
from provisioning.reconciler.execution.operation_runner import Made, OperationRunner
from provisioning.reconciler.execution.outcomes import (
    BAD,
    Execution,
    OperationOutcome,
    compute_execution,
)
from provisioning.reconciler.execution.worker_pool import Finished, Workers

LOOK_UP = 0.25
"""Seconds after which the executor looks whether it was asked to stop."""

PROBE_FIRST, PROBE_GROWTH, PROBE_LAST = 0.02, 1.5, 1.0
"""Seconds between two probes of a resource that is not ready: the first, the factor, the most."""

GRACE = 5.0
"""Seconds a provider gets beyond its deadline before its call is given up."""


@dataclass(slots=True)
class _Task:
    """An operation on its way: which attempt it is in, and when it may go on."""

    operation: Operation
    attempt: int = 1
    began: float = 0.0
    deadline: float = 0.0
    made: Made | None = None
    pause: float = PROBE_FIRST
    ready_by: float = 0.0


class Executor:
    """Runs one plan's operations."""

    def __init__(
        self,
        runner: OperationRunner,
        operations: Sequence[Operation],
        *,
        limits: Limits,
        stop: Cancellation,
        is_superseded: Callable[[], bool],
        listener: Listener,
        clocks: Clocks,
    ) -> None:
        self._hands = runner
        self._operations = {item.number: item for item in operations}
        self._limits = limits
        self._probes = {
            name: probes
            for name, provider in runner.providers.items()
            if (probes := find_ability(provider, Probes))
        }
        self._stop = stop
        self._is_superseded = is_superseded
        self._listener = listener
        self._now = clocks.monotonic
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
        """Run everything that can be run; return what became of it."""
        try:
            while len(self._ended) < len(self._operations):
                self._look_whether_to_stop()
                self._dispatch()
                if not self._active and not self._delayed:
                    continue
                finished = self._workers.wait(self._compute_patience())
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

    def _look_whether_to_stop(self) -> None:
        if not self._halted and self._stop.is_requested:
            self._halt("the run was asked to stop")
        if self._delayed and not self._active and not self._ready and not self._halted:
            now = self._now()
            if now - self._checked >= LOOK_UP:
                self._checked = now
                if self._is_superseded():
                    self._halt("a newer commit came")

    def _halt(self, why: str) -> None:
        """Begin nothing new, and wait for nothing; what is in hand is finished."""
        self._halted = why
        for _, _, task in self._delayed:
            self._end_waiting(task, why)
        self._delayed.clear()
        for number in self._operations:
            if number not in self._ended and not self._is_active(number):
                self._end(self._operations[number], OperationOutcome(Outcome.SKIPPED, reason=why))
        self._ready.clear()

    def _end_waiting(self, task: _Task, why: str) -> None:
        if task.made is None:
            self._end(task.operation, OperationOutcome(Outcome.SKIPPED, reason=why))
        else:
            self._end_unready(task, f"not seen ready, because {why}")

    def _is_active(self, number: int) -> bool:
        return any(key[0] == number for key in self._active)

    def _dispatch(self) -> None:
        now = self._now()
        while self._delayed and self._delayed[0][0] <= now:
            task = heapq.heappop(self._delayed)[2]
            self._start(task)
        held: list[int] = []
        while self._ready and len(self._active) < self._limits.parallelism:
            number = heapq.heappop(self._ready)
            operation = self._operations[number]
            is_due = not (operation.is_last and self._earlier)
            if is_due and self._has_slot(operation.change.provider):
                self._tell(EventKind.OPERATION_BEGUN, operation)
                self._start(_Task(operation, began=now))
            else:
                held.append(number)
        for number in held:
            heapq.heappush(self._ready, number)

    def _has_slot(self, provider: str) -> bool:
        used = sum(task.operation.change.provider == provider for task in self._active.values())
        return used < self._get_pace(provider).slots

    def _get_pace(self, provider: str) -> Pace:
        maximum = self._limits.per_provider
        return self._paces.setdefault(provider, Pace(maximum, float(maximum)))

    def _start(self, task: _Task) -> None:
        self._tickets += 1
        key = (task.operation.number, self._tickets)
        task.deadline = self._now() + self._hands.get_timeout(task.operation) + GRACE
        self._active[key] = task
        if task.made is None:
            self._workers.submit(key, lambda: self._hands.attempt(task.operation))
        else:
            self._workers.submit(key, lambda: self._probe(task))

    def _compute_patience(self) -> float:
        now = self._now()
        times = [LOOK_UP, *(task.deadline - now for task in self._active.values())]
        if self._delayed:
            times.append(self._delayed[0][0] - now)
        return min(times)

    # Taking in what has happened

    def _take(self, finished: Finished[tuple[int, int], object]) -> None:
        task = self._active.pop(finished.key, None)
        if task is None:
            return
        match finished.error, finished.answer:
            case None, Made() as made:
                self._take_made(task, made)
            case None, ProbeReady():
                self._end_well(task)
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
                self._take_obstacle(task, error)
            case ProvisioningError():
                self._end(task.operation, OperationOutcome(Outcome.FAILED, error=error))
            case _:
                raise error

    def _take_made(self, task: _Task, made: Made) -> None:
        change = task.operation.change
        pace = self._get_pace(change.provider)
        self._paces[change.provider] = pace.with_success()
        if made.record is not None and task.operation.step is not Step.DELETE:
            self._hands.known[change.id] = _merge(made)
        task.made = made
        patience = self._get_probe_timeout(task.operation, made)
        if patience <= 0:
            self._end_well(task)
            return
        task.ready_by = self._now() + patience
        heapq.heappush(self._delayed, (self._now(), task.operation.number, task))

    def _get_probe_timeout(self, operation: Operation, made: Made) -> float:
        provider = self._probes.get(operation.change.provider)
        is_made = operation.step in {Step.CREATE, Step.UPDATE}
        if not is_made or made.record is None or provider is None:
            return 0.0
        return provider.get_probe_timeout(operation.change.kind, reveal(dict(_merge(made))))

    def _probe(self, task: _Task) -> ProbeReady | ProbeWaiting:
        provider = self._probes[task.operation.change.provider]
        assert task.made is not None  # noqa: S101  only what was made is probed
        return provider.probe(task.operation.change.kind, reveal(dict(_merge(task.made))))

    def _wait_on(self, task: _Task, reason: str) -> None:
        now = self._now()
        if self._halted:
            self._end_waiting(task, self._halted)
        elif now >= task.ready_by:
            self._end_unready(task, f"not ready in time: {reason}")
        else:
            if task.pause == PROBE_FIRST:
                self._tell(EventKind.OPERATION_WAITING, task.operation, reason)
            task.pause = min(PROBE_LAST, task.pause * PROBE_GROWTH)
            heapq.heappush(self._delayed, (now + task.pause, task.operation.number, task))

    def _take_failure(self, task: _Task, error: ProviderError) -> None:
        provider = task.operation.change.provider
        if isinstance(error, ProviderThrottled):
            self._paces[provider] = self._get_pace(provider).with_throttle()
        delay = self._limits.retries.compute_delay(error, task.attempt)
        if delay is not None and not self._halted:
            is_throttled = isinstance(error, ProviderThrottled)
            event = self._build_event(EventKind.OPERATION_RETRIED, task.operation, error.message)
            self._listener(replace(event, seconds=delay, is_throttled=is_throttled))
            task.attempt += 1
            heapq.heappush(self._delayed, (self._now() + delay, task.operation.number, task))
            return
        outcome = Outcome.UNCERTAIN if isinstance(error, ProviderTransient) else Outcome.FAILED
        if task.operation.step is not Step.CREATE:
            self._end(task.operation, OperationOutcome(outcome, error=error))
            return
        self._salvage(task, OperationOutcome(outcome, error=error))

    def _salvage(self, task: _Task, ended: OperationOutcome) -> None:
        """Look, in a worker, what the failed creation has left, so that it stays ours."""

        def look() -> OperationOutcome:
            record = self._hands.salvage(task.operation, str(ended.error))
            return OperationOutcome(ended.outcome, error=ended.error, record=record)

        self._tickets += 1
        key = (task.operation.number, self._tickets)
        task.deadline = self._now() + self._hands.get_timeout(task.operation) + GRACE
        self._active[key] = task
        self._workers.submit(key, look)

    def _take_obstacle(self, task: _Task, error: Fenced | StorageFailed) -> None:
        self._end(task.operation, OperationOutcome(Outcome.FAILED, error=error))
        if isinstance(error, Fenced):
            self._fenced = error
        if not self._halted:
            self._halt(error.message)

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
            error = ProviderTransient(
                f"provider {task.operation.change.provider!r} did not answer in "
                f"{self._hands.get_timeout(task.operation):g} s"
            )
            self._end(
                task.operation,
                OperationOutcome(
                    Outcome.UNCERTAIN,
                    error=error,
                    record=self._hands.build_provisional(task.operation, str(error)),
                ),
            )

    # Endings

    def _end_well(self, task: _Task) -> None:
        made = task.made
        assert made is not None  # noqa: S101  that is what well means
        settled = made.unchanged and task.operation.change.action is Action.UPDATE
        outcome = Outcome.UNCHANGED if settled else DONE[task.operation.change.action]
        self._end(task.operation, OperationOutcome(outcome, made, record=made.record), task)

    def _end_unready(self, task: _Task, why: str) -> None:
        made = task.made
        record = made.record if made else None
        if record is not None:
            record = msgspec.structs.replace(record, error=why)
        error = ProviderError(
            why, hint="`provisioning log` and the resource's own output tell more"
        )
        self._end(
            task.operation, OperationOutcome(Outcome.FAILED, made, error=error, record=record), task
        )

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
                reason = f"{operation.change.id} {ended.outcome}"
                self._end(
                    self._operations[number], OperationOutcome(Outcome.SKIPPED, reason=reason)
                )
                continue
            self._waits[number] -= 1
            if not self._waits[number]:
                heapq.heappush(self._ready, number)

    def _tell(self, kind: EventKind, operation: Operation, text: str = "") -> None:
        self._listener(self._build_event(kind, operation, text))

    def _build_event(self, kind: EventKind, operation: Operation, text: str) -> Event:
        return Event(
            kind=kind,
            infra=self._hands.desired.infra,
            run=self._hands.run,
            id=operation.change.id,
            text=text or operation.step,
            done=len(self._ended),
            total=len(self._operations),
            provider=operation.change.provider,
        )


def _merge(made: Made) -> Mapping[str, object]:
    """Return what a reference to the resource can name: what was asked for, and the answer."""
    return {**(made.record.spec if made.record else {}), **made.attributes}

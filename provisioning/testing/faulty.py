"""Makes a provider fail where a test wants it to.

    faults = Faults()
    faults.inject("create", transient(), resource="Thing/a", times=2)
    faults.inject("update", lost(), nth=3)
    provider = FaultyProvider(MemoryProvider(world), faults)

makes the first two creates of `Thing/a` fail without an effect, and loses the answer of the
third update whatever it changes.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from provisioning.core.model.ids import ResourceId
from provisioning.core.model.kinds import Kind
from provisioning.core.model.providers import (
    Call,
    ObservationTarget,
    Observed,
    ProbeReady,
    Probes,
    ProbeWaiting,
    Provider,
)
from provisioning.core.model.values import Tree
from provisioning.testing.effects import Crash
from provisioning.testing.faults import Attempt, Fault

ALWAYS = sys.maxsize
"""As `times` of `Faults.inject`: from then on every time."""


@dataclass(slots=True)
class _Rule:
    method: str
    fault: Fault
    about: ResourceId | None
    nth: int
    times: int
    met: int = 0

    def matches(self, attempt: Attempt) -> bool:
        return attempt.method == self.method and (self.about is None or self.about in attempt.ids)

    def is_due(self) -> bool:
        return self.nth <= self.met < self.nth + self.times


class Faults:
    """The faults to inject, and when. Thread-safe; several providers may share one."""

    def __init__(self) -> None:
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()

    def inject(
        self,
        method: str,
        fault: Fault,
        *,
        resource: str | None = None,
        nth: int = 1,
        times: int = 1,
    ) -> None:
        """Put *fault* in place of the *nth* call of *method* and the next ones, *times* in all.

        With *resource*, an id, only the calls about that one count. Where several faults are
        due the one injected first strikes; every one counts the call.
        """
        about = ResourceId(resource) if resource else None
        with self._lock:
            self._rules.append(_Rule(method, fault, about, nth, times))

    def choose(self, attempt: Attempt) -> Fault | None:
        """Count *attempt* and return the fault that strikes it."""
        with self._lock:
            rules = [rule for rule in self._rules if rule.matches(attempt)]
            for rule in rules:
                rule.met += 1
            return next((rule.fault for rule in rules if rule.is_due()), None)

    def has_struck(self) -> bool:
        """Return whether every fault struck at least once: else the test tested nothing."""
        with self._lock:
            return all(rule.met >= rule.nth for rule in self._rules)


class FaultyProvider:
    """Wraps *provider*, with *faults*; has the ability to probe if *provider* has.

    After a `Crash` it is dead: every further call raises `Crash` too. The effects of the wrapped
    provider stay, so a second provider can read what is left.
    """

    describe: Callable[[], Sequence[Kind]]
    observe: Callable[[str, Sequence[ObservationTarget]], Observed]
    create: Callable[[Call], Mapping[str, Tree]]
    update: Callable[[Call], Mapping[str, Tree]]
    delete: Callable[[Call], None]
    close: Callable[[], None]
    probe: Callable[[str, Mapping[str, Tree]], ProbeReady | ProbeWaiting]
    get_probe_timeout: Callable[[str, Mapping[str, Tree]], float]

    def __init__(self, provider: Provider, faults: Faults) -> None:
        self.name = provider.name
        self._provider = provider
        self._faults = faults
        self._is_dead = False
        for method in ("describe", "observe", "create", "update", "delete", "close"):
            setattr(self, method, partial(self._make, method))
        if isinstance(provider, Probes):
            self.probe = partial(self._make, "probe")
            self.get_probe_timeout = provider.get_probe_timeout

    def _make(self, method: str, *arguments: Any) -> Any:
        if self._is_dead:
            raise Crash(f"{method} was called in a process that was killed")
        attempt = Attempt(self._provider, method, arguments)
        fault = self._faults.choose(attempt)
        try:
            return fault(attempt) if fault else attempt.run()
        except Crash:
            self._is_dead = True
            raise

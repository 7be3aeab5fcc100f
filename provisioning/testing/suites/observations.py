"""The observations of a provider."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from provisioning.core.model.providers import (
    Absent,
    Present,
    ProbeReady,
    Probes,
    ProbeWaiting,
    Unreadable,
)
from provisioning.testing.suites.cases import OTHER_OWNER, OWNER, Case, expect, expect_absent
from provisioning.testing.suites.stage import Stage

POLL_SECONDS = 0.01


class ObservingTruths(Stage):
    """Truths about `observe` and `probe`."""

    def test_nothing_is_absent(self, tmp_path: Path, case: Case) -> None:
        """23. A resource that was never made is `Absent`, and not reported."""
        trial = self.start(tmp_path, case)
        observed = trial.provider.observe(trial.owner, [trial.build_target()])
        expect(list(observed.answers) == [Absent()], "what was never made is absent", observed)
        expect(not observed.strays, "what was never made is no stray", observed.strays)

    def test_many_are_answered_in_order(self, tmp_path: Path, case: Case) -> None:
        """24. Each target gets its own answer, in the order of the targets."""
        there, _ = self.start_made(tmp_path, case)
        others = [item for item in self.build_cases() if item.id != case.id]
        trials = [self.start(tmp_path, other) for other in others if not other.kind.recorded_only]
        targets = [there.build_target(), *(trial.build_target() for trial in trials)]
        for asked in (targets, targets[::-1], [*targets, *targets], []):
            answers = there.provider.observe(OWNER, asked).answers
            expected = [target.id == case.id for target in asked]
            got = [isinstance(answer, Present) for answer in answers]
            expect(got == expected, "answers come in the order of the targets", answers)

    def test_unreadable_is_not_absent(self, tmp_path: Path, unreadable_case: Case) -> None:
        """25. An unreadable resource is `Unreadable` with a reason, and never `Absent`."""
        trial, _ = self.start_made(tmp_path, unreadable_case)
        if unreadable_case.unreadable:
            unreadable_case.unreadable(self)
        seen = trial.observe()
        expect(isinstance(seen, Unreadable) and seen.reason, "it is unreadable, and why", seen)

    def test_instances_see_one_world(self, tmp_path: Path, case: Case) -> None:
        """26. An instance sees, changes and deletes the work of another: the world is the state."""
        first, second = self.start(tmp_path, case), self.start(tmp_path, case)
        first.create()
        expect(second.read() == first.read(), "two instances see the same", second.read())
        second.update(case.changed_spec)
        expect(second.read() == first.read(), "two instances see the same", first.read())
        second.delete()
        expect_absent(first.observe(), "what another instance deleted is absent")

    def test_observe_changes_nothing(self, tmp_path: Path, case: Case) -> None:
        """27. An observation changes nothing, whoever makes it."""
        trial, _ = self.start_made(tmp_path, case)
        with self.untouched(trial, "observe"):
            trial.observe()
            trial.provider.observe(OTHER_OWNER, [trial.build_target()])

    def test_strays_are_reported(self, tmp_path: Path, stray_case: Case) -> None:
        """28. A marked resource that was not asked for is reported to its owner alone."""
        trial, _ = self.start_made(tmp_path, stray_case)
        strays = trial.provider.observe(OWNER, []).strays
        expect(dict(strays) == {stray_case.id: trial.read()}, "a stray is as it is seen", strays)
        expect(not trial.provider.observe(OTHER_OWNER, []).strays, "another's is no stray")
        beside = OWNER[:-1]
        expect(not trial.provider.observe(beside, []).strays, f"{beside} is another owner")
        asked = trial.provider.observe(OWNER, [trial.build_target()])
        expect(not asked.strays, "what was asked for is no stray", asked.strays)

    def test_probe_tells_when_it_serves(self, tmp_path: Path, case: Case) -> None:
        """29. A probe checks once, says what it waits for, and becomes `ProbeReady` in time."""
        trial = self.start(tmp_path, case)
        provider = trial.provider.inner
        trial.create()
        if not isinstance(provider, Probes):
            return
        attributes = trial.read().attributes
        timeout = provider.get_probe_timeout(case.kind.name, attributes)
        expect(timeout >= 0, "a time-out is in seconds", timeout)
        if timeout:
            _wait_until_ready(lambda: provider.probe(case.kind.name, attributes), timeout)
        expect(trial.read().attributes == attributes, "probing changes nothing")


def _wait_until_ready(probe: Callable[[], ProbeReady | ProbeWaiting], timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while isinstance(answer := probe(), ProbeWaiting):
        expect(answer.reason, "a probe says what it waits for")
        expect(time.monotonic() < deadline, f"it is ready within {timeout} s", answer.reason)
        threading.Event().wait(POLL_SECONDS)
    expect(isinstance(answer, ProbeReady), "a probe answers Ready or Waiting", answer)

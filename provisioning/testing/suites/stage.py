"""Where the tests of a suite stand: what a subclass supplies, and what is cleared away."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from provisioning.core.model.errors import ProviderConflict
from provisioning.core.model.providers import Call, Provider
from provisioning.testing.suites.cases import OWNER, Case, CompletedProvider, Trial, expect

_CHOICES: dict[str, Callable[[Case], object]] = {
    "any_case": lambda _: True,
    "case": lambda case: not case.kind.recorded_only,
    "placed_case": lambda case: case.kind.identity,
    "recorded_case": lambda case: case.kind.recorded_only,
    "replaced_case": lambda case: case.immutable_change and not case.kind.recorded_only,
    "foreign_case": lambda case: case.foreign,
    "unreadable_case": lambda case: case.unreadable,
    "half_case": lambda case: case.half,
    "stray_case": lambda case: case.finds_strays and not case.kind.recorded_only,
}
"""The cases that a test gets under each name of an argument."""


class Stage:
    """Builds providers and cases for the tests of a suite, and clears away what they made."""

    def build_provider(self, tmp_path: Path) -> Provider:
        """Build a provider on the world that belongs to *tmp_path*; called several times."""
        raise NotImplementedError

    def build_cases(self) -> Sequence[Case]:
        """Build at least one case for each kind; called before there is a world."""
        raise NotImplementedError

    def read_world(self) -> object:
        """Return what can be seen of the world without the provider, to compare by `==`."""
        return None

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """Give each test the cases that it applies to."""
        for name in metafunc.fixturenames:
            if name in _CHOICES:
                chosen = [case for case in self.build_cases() if _CHOICES[name](case)]
                metafunc.parametrize(name, chosen, ids=str)

    def setup_method(self) -> None:
        """Begin with nothing to clear away."""
        self._trials: list[Trial] = []

    def teardown_method(self) -> None:
        """Clear away what the test made, as much of it as can be."""
        with ExitStack() as last_first:
            for trial in self._trials:
                last_first.callback(trial.provider.close)
            for trial in self._trials:
                last_first.callback(trial.clear)

    def start(self, tmp_path: Path, case: Case, owner: str = OWNER) -> Trial:
        """Begin to try *case* for *owner*, on a provider of its own."""
        trial = Trial(CompletedProvider(self.build_provider(tmp_path)), case, owner)
        self._trials.append(trial)
        return trial

    def start_made(self, tmp_path: Path, case: Case, owner: str = OWNER) -> tuple[Trial, Call]:
        """Begin to try *case* where it was created, and return the call that did."""
        trial = self.start(tmp_path, case, owner)
        return trial, trial.create()

    @contextmanager
    def untouched(self, trial: Trial, rule: str) -> Iterator[None]:
        """Check that the block changes nothing of what *trial* sees."""
        before = trial.observe(), self.read_world()
        yield
        after = trial.observe(), self.read_world()
        expect(before == after, f"{rule} is to change nothing of {before}", after)

    def start_beside_foreign(self, tmp_path: Path, case: Case) -> Trial:
        """Begin to try *case* where something unmarked stands in its place."""
        trial = self.start(tmp_path, case)
        if case.foreign:
            case.foreign(self)
        expect(trial.read().mark is None, "what is foreign bears no mark", trial.read())
        return trial


@contextmanager
def expect_conflict(method: str) -> Iterator[None]:
    """Blame the provider unless the block ends in `ProviderConflict`."""
    try:
        yield
    except ProviderConflict:
        return
    raise AssertionError(f"{method} is to raise ProviderConflict")

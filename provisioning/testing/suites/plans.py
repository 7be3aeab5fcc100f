"""The plans of a provider that has the ability."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from provisioning.core.model.providers import PlanningRequest, Plans, Present
from provisioning.core.model.values import Tree, Unknown, is_equal
from provisioning.testing.suites.cases import Case, Trial, expand, expect, expect_spec
from provisioning.testing.suites.stage import Stage


class PlanningTruths(Stage):
    """Truths about `plan`."""

    def test_plan_comes_true(self, tmp_path: Path, case: Case) -> None:
        """32. A plan is as desired, comes true, and changes nothing."""
        trial = self.start(tmp_path, case)
        with self.untouched(trial, "plan of a creation"):
            planned = _plan(trial, case.spec, None)
        trial.create()
        seen = _read_attributes(trial)
        _expect_true(case, case.spec, planned, seen)
        with self.untouched(trial, "plan of an update"):
            planned = _plan(trial, case.changed_spec, seen)
        trial.update(case.changed_spec)
        _expect_true(case, case.changed_spec, planned, _read_attributes(trial))


def _plan(
    trial: Trial, spec: Mapping[str, Tree], seen: Mapping[str, Tree] | None
) -> Mapping[str, Tree]:
    provider, case = trial.provider, trial.case
    if not isinstance(provider, Plans):
        return {}
    planned = provider.plan(
        PlanningRequest(
            id=case.id,
            kind=case.kind.name,
            provider=case.kind.provider,
            spec=expand(case.kind, spec),
            live=seen,
        )
    )
    if planned is None:
        return {}
    if seen:
        expect(not planned.replaces, "what an update can reach is no replacement", planned.replaces)
    return planned.attributes


def _read_attributes(trial: Trial) -> Mapping[str, Tree]:
    seen = trial.observe()
    return seen.attributes if isinstance(seen, Present) else {}


def _expect_true(
    case: Case, spec: Mapping[str, Tree], planned: Mapping[str, Tree], seen: Mapping[str, Tree]
) -> None:
    if planned:
        expect_spec(case, spec, planned, "what is planned is as its spec says")
    for name, value in planned.items():
        found = seen.get(name)
        expect(_is_true(value, found), f"what is planned for {name} comes true", found)


def _is_true(planned: Tree, seen: Tree) -> bool:
    """Return whether *seen* is as *planned*, wherever that was known."""
    match planned, seen:
        case Unknown(), _:
            return True
        case dict(), dict():
            return all(_is_true(item, seen.get(name)) for name, item in planned.items())
        case list(), list() if len(planned) == len(seen):
            return all(map(_is_true, planned, seen))
    return is_equal(planned, seen)

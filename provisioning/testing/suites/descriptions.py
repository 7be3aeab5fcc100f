"""The description of a provider by itself."""

from __future__ import annotations

import time
from pathlib import Path

from provisioning.core.model.kinds import Field, Kind
from provisioning.core.model.providers import Present
from provisioning.core.model.schemas.field_tree import parse_name
from provisioning.core.model.schemas.spec_schema import find_places, list_known
from provisioning.testing.suites.cases import Case, expect, expect_spec
from provisioning.testing.suites.stage import Stage


class DescribingTruths(Stage):
    """Truths about `describe`, `close`, and kinds that are only recorded."""

    def test_describe_is_pure(self, tmp_path: Path, any_case: Case) -> None:
        """1. `describe` answers the same each time, at once, and reads or changes nothing."""
        provider = self.start(tmp_path, any_case).provider
        world, start = self.read_world(), time.perf_counter()
        answers = [[_summarise(kind) for kind in provider.describe()] for _ in range(10)]
        expect(time.perf_counter() - start < 1, "describe is quick")
        expect(all(answer == answers[0] for answer in answers), "describe is pure", answers)
        expect(self.read_world() == world, "describe changes nothing")

    def test_kinds_are_consistent(self, tmp_path: Path, any_case: Case) -> None:
        """2. A kind's fields agree with each other and with its model."""
        provider, kind = self.start(tmp_path, any_case).provider, any_case.kind
        described = {item.name: _summarise(item) for item in provider.describe()}
        expect(described.get(kind.name) == _summarise(kind), f"{kind.name} is described", described)
        expect(kind.provider == provider.name, "a kind names its provider", kind.provider)
        for name in kind.identity:
            expect(kind.get_field(name).immutable, f"identity field {name} is immutable")
        for field in kind.fields:
            problem = _find_field_problem(kind, field)
            expect(not problem, f"field {kind.name}.{field.name} {problem}")

    def test_every_kind_is_tried(self, tmp_path: Path, any_case: Case) -> None:
        """3. The suite has a case for every kind that is described."""
        described = {kind.name for kind in self.start(tmp_path, any_case).provider.describe()}
        untried = described - {case.kind.name for case in self.build_cases()}
        expect(not untried, "every kind has a case", untried)

    def test_model_checks_specs(self, any_case: Case) -> None:
        """4. A kind's model takes the spec a manifest may have and refuses an unknown field."""
        for spec in (any_case.spec, any_case.changed_spec):
            problems = any_case.kind.find_problems(spec, set())
            expect(not problems, f"{any_case.id} has a valid spec", problems)
        slip = {**any_case.spec, "no_such_field": 1}
        expect(any_case.kind.find_problems(slip, set()), "an unknown field is refused")

    def test_recorded_only_is_answered(self, tmp_path: Path, recorded_case: Case) -> None:
        """5. A resource that is only recorded is answered, made as often as you like."""
        trial = self.start(tmp_path, recorded_case)
        provider, world = trial.provider, self.read_world()
        call = trial.build_call()
        first, again = provider.create(call), provider.create(call)
        expect(first == again, "the same create has the same answer", again)
        expect_spec(recorded_case, recorded_case.spec, first, "create answers what was asked for")
        seen = Present(first, None)
        changed = provider.update(trial.build_call(recorded_case.changed_spec, seen))
        expect_spec(recorded_case, recorded_case.changed_spec, changed, "update does likewise")
        provider.delete(trial.build_call({}, seen))
        provider.delete(trial.build_call({}, seen))
        expect(self.read_world() == world, "what is only recorded leaves no trace in the world")

    def test_close_twice(self, tmp_path: Path, any_case: Case) -> None:
        """6. Closing twice is no error."""
        provider = self.start(tmp_path, any_case).provider
        provider.close()
        provider.close()


def _summarise(kind: Kind) -> tuple[object, ...]:
    flags = kind.create_before_delete, kind.stateful, kind.recorded_only
    return kind.name, kind.provider, kind.summary, kind.fields, kind.identity, flags


def _find_field_problem(kind: Kind, field: Field) -> str | None:
    if field.computed and any(find_places(kind.build_schema(), parse_name(field.name))):
        return "is computed and can be set"
    if not field.computed and not _is_settable(kind, field.name):
        return "is not in the model"
    if field.derived_from is not None and not field.computed:
        return "is derived and not computed"
    unknown = {name for name in field.derived_from or () if not _is_settable(kind, name)}
    return f"is derived from unknown fields: {unknown}" if unknown else None


def _is_settable(kind: Kind, name: str) -> bool:
    """Return whether a manifest may have the field *name*; a map without known keys takes any."""
    schema, (*above, last) = kind.build_schema(), parse_name(name)
    if any(find_places(schema, (*above, last))):
        return True
    return any(find_places(schema, above)) and not list_known(schema, above)

"""The changes of a provider."""

from __future__ import annotations

from pathlib import Path

from provisioning.core.model.providers import Present
from provisioning.core.model.schemas.field_tree import parse_name
from provisioning.core.model.values import is_equal
from provisioning.testing.suites.cases import (
    OTHER_OWNER,
    Case,
    expect,
    expect_absent,
    expect_spec,
    find_changed,
    find_replacing,
    read_field,
)
from provisioning.testing.suites.stage import Stage


class ChangingTruths(Stage):
    """Truths about `update`, and about replacing what cannot be updated."""

    def test_updated_is_seen(self, tmp_path: Path, case: Case) -> None:
        """14. An updated resource is as the new spec says, and has the mark of the update."""
        trial, _ = self.start_made(tmp_path, case)
        call = trial.update(case.changed_spec)
        trial.expect_made(call, case.changed_spec, "an update reaches its spec")

    def test_update_twice_is_one(self, tmp_path: Path, case: Case) -> None:
        """15. The same update made again changes nothing more and answers what is seen."""
        trial, _ = self.start_made(tmp_path, case)
        call = trial.update(case.changed_spec)
        first = trial.read()
        answer = trial.provider.update(call)
        expect(trial.read() == first, f"the same update again leaves {first}", trial.read())
        expect_spec(case, case.changed_spec, answer, "update answers what was asked for")

    def test_update_keeps_what_does_not_follow(self, tmp_path: Path, case: Case) -> None:
        """16. A computed field changes only with the fields that it is derived from."""
        trial, _ = self.start_made(tmp_path, case)
        before = trial.read().attributes
        trial.update(case.changed_spec)
        after = trial.read().attributes
        changed = find_changed(case.kind, case.spec, case.changed_spec)
        for field in case.kind.fields:
            if field.derived_from is None:
                continue
            if not changed & {parse_name(name)[0] for name in field.derived_from}:
                one, two = (read_field(field, values) for values in (before, after))
                expect(is_equal(one, two), f"{field.name} is kept")

    def test_update_adopts(self, tmp_path: Path, foreign_case: Case) -> None:
        """17. An update of what bears no mark marks it: so something foreign is adopted."""
        trial = self.start_beside_foreign(tmp_path, foreign_case)
        call = trial.update(foreign_case.spec)
        trial.expect_made(call, foreign_case.spec, "an adopted one is updated")

    def test_update_takes_what_is_moved(self, tmp_path: Path, case: Case) -> None:
        """30. An update that moves it from another owner marks it anew; there is still but one."""
        theirs, _ = self.start_made(tmp_path, case, OTHER_OWNER)
        trial = self.start(tmp_path, case)
        call = trial.take(theirs)
        expect(trial.read().mark == call.mark, f"it bears {call.mark}", trial.read())
        left = theirs.observe()
        is_left = isinstance(left, Present) and left.mark != call.mark
        expect(not is_left, "nothing bears the old mark", left)

    def test_replacement(self, tmp_path: Path, replaced_case: Case) -> None:
        """18. A change that needs a replacement is described so, and the replacement makes it."""
        case, wanted = replaced_case, replaced_case.immutable_change or {}
        changed = find_changed(case.kind, case.spec, wanted)
        immutable = find_replacing(case.kind, case.spec, wanted)
        expect(immutable, "a field that only a replacement changes is immutable", changed)
        trial, _ = self.start_made(tmp_path, case)
        old, call = trial.read(), trial.build_call(wanted)
        if case.kind.create_before_delete:
            trial.create(call)
        trial.provider.delete(trial.build_call({}, old))
        if not case.kind.create_before_delete:
            trial.create(call)
        if changed & {*case.kind.identity}:
            expect_absent(trial.observe(), "the old one is gone")
        seen = trial.observe(wanted)
        expect(isinstance(seen, Present) and seen.mark == call.mark, "the new one stands", seen)
        if isinstance(seen, Present):
            expect_spec(case, wanted, seen.attributes, "the new one is as its spec says")

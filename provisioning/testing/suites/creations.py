"""The creations of a provider."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from provisioning.core.model.providers import Pending
from provisioning.core.model.values import is_equal, render_path
from provisioning.testing.suites.cases import (
    OTHER_OWNER,
    Case,
    expect,
    expect_absent,
    expect_spec,
    read_field,
)
from provisioning.testing.suites.stage import Stage, expect_conflict


class MakingTruths(Stage):
    """Truths about `create`."""

    def test_created_is_seen(self, tmp_path: Path, case: Case) -> None:
        """7. A created resource is `Present` as its spec says, with the whole mark of the call."""
        trial, call = self.start_made(tmp_path, case)
        trial.expect_made(call, case.spec, "what was created is as its spec says")

    def test_create_answers_what_is_seen(self, tmp_path: Path, case: Case) -> None:
        """8. `create` answers every computed field, and what `observe` sees thereafter."""
        trial = self.start(tmp_path, case)
        call = trial.build_call()
        trial.create(call)
        answer, seen = trial.provider.create(call), trial.read().attributes
        expect_spec(case, case.spec, answer, "create answers what was asked for")
        for method, values in (("create", answer), ("observe", seen)):
            missing = [render_path(path) for path in case.kind.tree.find_missing(dict(values))]
            expect(not missing, f"{method} answers {', '.join(missing)}", dict(values))
        for field in case.kind.fields:
            if field.computed and field.derived_from is not None:
                one, two = (read_field(field, values) for values in (answer, seen))
                expect(is_equal(one, two), f"{field.name} is stable")

    def test_create_twice_makes_one(self, tmp_path: Path, case: Case) -> None:
        """9. The same create made again, for its answer was lost, makes no second one."""
        trial, call = self.start_made(tmp_path, case)
        first = trial.read()
        trial.create(call)
        expect(trial.read() == first, f"the same create again leaves {first}", trial.read())
        trial.delete()
        expect_absent(trial.observe(), "after one delete nothing is left of two equal creates")

    def test_half_made_is_completed(self, tmp_path: Path, half_case: Case) -> None:
        """10. The remains of a create that was cut off are completed by the same create."""
        trial = self.start(tmp_path, half_case)
        call = trial.build_call()
        half = half_case.half
        if half:
            half(self, call)
        trial.create(call)
        trial.expect_made(call, half_case.spec, "what was half made is completed")

    def test_create_spares_the_foreign(self, tmp_path: Path, foreign_case: Case) -> None:
        """11. Where something unmarked stands, `create` is a conflict, and it is untouched."""
        trial = self.start_beside_foreign(tmp_path, foreign_case)
        with self.untouched(trial, "create over a foreign one"), expect_conflict("create"):
            trial.create()

    def test_create_spares_another_owners(self, tmp_path: Path, placed_case: Case) -> None:
        """12. Where another owner's stands, `create` is a conflict, and it is untouched."""
        theirs, _ = self.start_made(tmp_path, placed_case, OTHER_OWNER)
        trial = self.start(tmp_path, placed_case)
        with self.untouched(theirs, "create over another owner's"), expect_conflict("create"):
            trial.create()

    def test_create_completes_an_older_one(self, tmp_path: Path, placed_case: Case) -> None:
        """13. Where the owner's own of an earlier operation stands, `create` completes it."""
        trial = self.start(tmp_path, placed_case)
        trial.create(trial.build_call(placed_case.changed_spec))
        call = trial.create()
        trial.expect_made(call, placed_case.spec, "an older one is completed")

    def test_another_process_ends_what_is_pending(self, tmp_path: Path, case: Case) -> None:
        """31. An operation that one process began is seen and ended by another with its handle."""
        call = self.start(tmp_path, case).build_call()
        begun = self.build_provider(tmp_path)
        answer = begun.create(call)
        begun.close()
        trial = self.start(tmp_path, case)
        if isinstance(answer, Pending):
            under_way = trial.read(answer.handle).handle
            expect(under_way in {"", answer.handle}, "it is seen with its handle", under_way)
            call = replace(call, handle=answer.handle)
        trial.create(call)
        trial.expect_made(call, case.spec, "an operation that was taken over is ended")
        expect(not trial.read().handle, "nothing is pending any more")

"""The deletions of a provider."""

from __future__ import annotations

from pathlib import Path

from provisioning.core.model.errors import ProviderConflict
from provisioning.core.model.providers import Present
from provisioning.testing.suites.cases import OTHER_OWNER, Case, Trial, expect, expect_absent
from provisioning.testing.suites.stage import Stage, expect_conflict


class RemovingTruths(Stage):
    """Truths about `delete`."""

    def test_deleted_is_absent(self, tmp_path: Path, case: Case) -> None:
        """19. A deleted resource is `Absent`, and deleting it again is no error."""
        trial, _ = self.start_made(tmp_path, case)
        call = trial.build_call({}, trial.read())
        trial.provider.delete(call)
        expect_absent(trial.observe(), "what was deleted is absent")
        trial.provider.delete(call)
        expect_absent(trial.observe(), "what was deleted twice is absent")

    def test_delete_spares_the_foreign(self, tmp_path: Path, foreign_case: Case) -> None:
        """20. Deleting what bears no mark is a conflict, and it is untouched."""
        trial = self.start_beside_foreign(tmp_path, foreign_case)
        with self.untouched(trial, "delete of a foreign one"), expect_conflict("delete"):
            trial.delete()

    def test_delete_spares_another_owners(self, tmp_path: Path, placed_case: Case) -> None:
        """21. Deleting what bears another owner's mark is a conflict, and it is untouched."""
        theirs, _ = self.start_made(tmp_path, placed_case, OTHER_OWNER)
        trial = self.start(tmp_path, placed_case)
        with self.untouched(theirs, "delete of another owner's"), expect_conflict("delete"):
            trial.provider.delete(trial.build_call({}, theirs.read()))

    def test_owners_are_apart(self, tmp_path: Path, case: Case) -> None:
        """22. One owner's work is nothing that another owner sees as its own or can delete."""
        theirs, call = self.start_made(tmp_path, case, OTHER_OWNER)
        trial = self.start(tmp_path, case)
        seen = trial.observe()
        if isinstance(seen, Present):
            expect(seen.mark == call.mark, f"what is seen bears {call.mark}", seen.mark)
        with self.untouched(theirs, "delete of another owner's"):
            _delete_or_refuse(trial, theirs.read())


def _delete_or_refuse(trial: Trial, seen: Present) -> None:
    """Delete; a provider that finds by mark finds nothing, and one that finds by place refuses."""
    try:
        trial.provider.delete(trial.build_call({}, seen))
    except ProviderConflict:
        return

"""Inspects a pull request: plans what it would do, and writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from provisioning.core.model.errors import ProvisioningError
from provisioning.core.model.ids import CommitId
from provisioning.core.model.records import Result, Run
from provisioning.core.model.sensitive import Secret
from provisioning.core.policy.approvals import list_unreviewed
from provisioning.core.policy.review_records import ReviewRecord, list_places
from provisioning.core.reviews.drift_pulls import find_drift_place
from provisioning.core.reviews.findings import Exposure, InfraReview, PullReview
from provisioning.core.reviews.forge import Permission, PullRequest
from provisioning.core.reviews.manifest_changes import compare_manifests
from provisioning.core.reviews.touched_infras import find_renamed, find_touched
from provisioning.core.statelog.transitions import LogView
from provisioning.reconciler.planning.plan_result import PlanResult
from provisioning.reconciler.reviews.context import ReviewContext

if TYPE_CHECKING:
    from provisioning.gitstore.objects.commits import FileChange


class Inspector(msgspec.Struct, frozen=True, kw_only=True):
    """Inspects pull requests; with *applies_first*, they are applied before they are merged.

    *plan_merged* plans an infra at a commit as an apply does; *read_view* returns the state log of
    an infra as it was fetched.
    """

    context: ReviewContext
    plan_merged: Callable[[str, CommitId], PlanResult]
    read_view: Callable[[str], LogView]
    applies_first: bool

    def inspect(self, pull: PullRequest, record: ReviewRecord | None) -> PullReview:
        """Inspect *pull*; *record* is its last review."""
        own = self.context.forge.read_login()
        drift = find_drift_place(pull, own) if pull.is_open else None
        found = PullReview(pull=pull, applies_first=self.applies_first, drift=drift)
        if pull.base_branch != self.context.branch:
            return replace(found, is_foreign=True, problem=f"it is not for {self.context.branch}")
        if pull.is_closed:
            return replace(found, problem="it is closed, and is not applied")
        try:
            if pull.merged:
                return self._inspect_merged(found, pull.merged, record)
            return self._inspect_open(found, record)
        except ProvisioningError as exc:
            if exc.retryable:
                raise
            return replace(found, infras=(InfraReview(infra="workspace", error=exc),))

    # Open

    def _inspect_open(self, found: PullReview, record: ReviewRecord | None) -> PullReview:
        context, pull = self.context, found.pull
        base = context.read_base()
        if context.repository.is_ancestor(pull.head, base):
            # It was merged since it was read: the plans that were shown stay as they are.
            problem = f"{context.branch} has its commits already"
            return replace(found, is_foreign=True, problem=problem)
        merge = context.repository.merge(base, pull.head)
        if merge.commit is None:
            count = len(merge.conflicts)
            files = f"{count} file{'s' * (count != 1)}"
            return replace(found, problem=f"it conflicts with {self.context.branch} in {files}")
        changes = list(self._walk_changes(base, merge.commit))
        is_trusted = self.is_trusted(pull) or bool(record and record.lifted == pull.head)
        exposed = list(self._find_exposures(changes))
        inspect = self._review_planned if is_trusted else self._review_static
        before, after = context.list_infras(base), context.list_infras(merge.commit)
        touched = find_touched((change.path for change in changes), {*before, *after})
        reviews = [inspect(infra, base, merge.commit) for infra in sorted(touched.directly)]
        reviews += [
            review
            for infra in sorted(touched.perhaps)
            if (review := inspect(infra, base, merge.commit)) and self._differs(review, base)
        ]
        return replace(
            found,
            infras=tuple(sorted(reviews, key=lambda item: item.infra)),
            exposures=tuple(sorted(exposure for exposure, _ in exposed)),
            hidden=Secret([text for _, text in exposed]),
            overlaps=self._find_overlaps(pull, reviews),
            renamed=find_renamed(reviews, before, after),
            is_trusted=is_trusted,
            paths=tuple(change.path for change in changes),
        )

    def _walk_changes(self, before: CommitId, after: CommitId) -> Iterator[FileChange]:
        trees = (self.context.repository.find_id(commit, "") for commit in (before, after))
        return self.context.repository.walk_changes(*trees)

    def is_trusted(self, pull: PullRequest) -> bool:
        """Tell whether *pull* may be planned in full: its author may write, or is this program."""
        if pull.is_fork:
            return False
        is_ours = pull.author == self.context.forge.read_login()
        return is_ours or self.context.forge.read_permission(pull.author) >= Permission.WRITE

    def _find_exposures(self, changes: Iterable[FileChange]) -> Iterator[tuple[Exposure, str]]:
        for change in changes:
            if change.after is not None:
                data = self.context.repository.read_blob(change.after, change.path)
                for found in self.context.find_exposed(data):
                    yield Exposure(change.path, found.line, found.what), found.text

    def _review_planned(self, infra: str, _: CommitId, merge: CommitId) -> InfraReview:
        try:
            plan_result = self.context.plan(infra, merge)
        except ProvisioningError as exc:
            return InfraReview(infra=infra, error=exc)
        return InfraReview(infra=infra, plan=plan_result.plan, violations=plan_result.violations)

    def _review_static(self, infra: str, base: CommitId, merge: CommitId) -> InfraReview:
        try:
            before, after = (
                self.context.compile_untrusted(base, commit, infra) for commit in (base, merge)
            )
        except ProvisioningError as exc:
            return InfraReview(infra=infra, error=exc)
        return InfraReview(infra=infra, manifest_changes=compare_manifests(before, after))

    def _differs(self, review: InfraReview, base: CommitId) -> bool:
        """Tell whether the plan of an infra that may be touched differs from the base's."""
        if review.plan is None:
            return bool(review.manifest_changes) or review.error is not None
        before = self._review_planned(review.infra, base, base)
        return before.plan is None or before.plan.digest != review.plan.digest

    def _find_overlaps(
        self, pull: PullRequest, reviews: Iterable[InfraReview]
    ) -> dict[int, tuple[str, ...]]:
        """Return the other open pull requests whose last review changes the same resources."""
        own = {place for review in reviews for place in review.places}
        shared = {
            other.number: tuple(sorted(own & list_places(record)))
            for other in self.context.forge.list_open_pulls()
            if other.number != pull.number
            and (record := self.context.reviews.read(other.number))
            and record.head == other.head
        }
        return {number: places for number, places in sorted(shared.items()) if places}

    # Merged

    def _inspect_merged(
        self, found: PullReview, merged: CommitId, record: ReviewRecord | None
    ) -> PullReview:
        shown = {plan.infra for plan in record.plans} if record else set()
        main = self.context.read_base()
        paths = self._list_changed(merged)
        names = shown | self._list_touched(merged, paths)
        reviews = [self._review_merged(infra, found.pull, main) for infra in sorted(names)]
        return replace(found, infras=tuple(reviews), paths=paths)

    def _list_changed(self, merged: CommitId) -> tuple[str, ...]:
        """Return the files that *merged* changes on the branch.

        Raises:
            ProvisioningError: If they cannot be read: then nobody knows whose they are.
        """
        parents = self.context.repository.read_commit(merged).parents
        if not parents:
            return ()
        return tuple(change.path for change in self._walk_changes(parents[0], merged))

    def _list_touched(self, merged: CommitId, paths: Iterable[str]) -> set[str]:
        parents = self.context.repository.read_commit(merged).parents
        commits = (*parents[:1], merged)
        known = {infra for commit in commits for infra in self.context.list_infras(commit)}
        return set(find_touched(paths, known).directly)

    def _review_merged(self, infra: str, pull: PullRequest, main: CommitId) -> InfraReview:
        run = self.read_view(infra).run
        if run is not None and not self._has_pull(run, pull):
            run = None
        if run is not None and run.result is Result.DONE:
            return InfraReview(infra=infra, run=run)
        try:
            plan_result = self.plan_merged(infra, main)
        except ProvisioningError as exc:
            return InfraReview(infra=infra, error=exc)
        plan, reviewed = plan_result.plan, plan_result.reviewed
        unreviewed = list_unreviewed(plan, reviewed) if reviewed else ()
        if run is not None and not unreviewed and plan_result.has_work:
            return InfraReview(infra=infra, run=run)
        violations = plan_result.violations
        return InfraReview(infra=infra, plan=plan, violations=violations, unreviewed=unreviewed)

    def _has_pull(self, run: Run, pull: PullRequest) -> bool:
        """Tell whether the commit that *run* applied has *pull*."""
        if not self.context.repository.has_object(run.commit):
            return False
        commit = pull.head if run.base else pull.merged
        return commit is not None and self.context.repository.is_ancestor(commit, run.commit)

"""The findings of a review, and the commit status that sums them up in a line."""

from __future__ import annotations

from collections import Counter

import msgspec

from provisioning.core.model.errors import ProvisioningError
from provisioning.core.model.records import Result, Run
from provisioning.core.model.sensitive import Secret
from provisioning.core.plan.operations import Step, compute_operations
from provisioning.core.plan.plan import Plan, PlannedChange, Risk
from provisioning.core.plan.text import describe_work
from provisioning.core.policy.gates import GateViolation
from provisioning.core.reviews.drift_pulls import DriftPlace
from provisioning.core.reviews.forge import CommitStatus, PullRequest, State
from provisioning.core.reviews.manifest_changes import ManifestChange

CONTEXT = "provisioning"
"""The status of a whole pull request; each infra has one below it, as in `provisioning/web`."""

_WORST_LAST = list(Risk)


class InfraReview(msgspec.Struct, frozen=True, kw_only=True):
    """The findings of one infra; see `PullReview`.

    Args:
        infra: Its name.
        plan: The plan; None if the infra cannot or may not be planned.
        violations: The gates that block the plan.
        error: Why there is no plan.
        manifest_changes: The manifests that differ; for an untrusted author only.
        unreviewed: After the merge, the changes that no review has shown.
        run: After the merge, the run that applied it.
    """

    infra: str
    plan: Plan | None = None
    violations: tuple[GateViolation, ...] = ()
    error: ProvisioningError | None = None
    manifest_changes: tuple[ManifestChange, ...] | None = None
    unreviewed: tuple[PlannedChange, ...] = ()
    run: Run | None = None

    @property
    def places(self) -> set[str]:
        """The resources that change, as `infra: Kind/name`."""
        changes = self.plan.changes if self.plan else self.manifest_changes or ()
        return {f"{self.infra}: {change.id}" for change in changes}

    @property
    def calls(self) -> int:
        """The number of provider calls of the plan."""
        operations = compute_operations(self.plan) if self.plan else ()
        return sum(operation.step not in {Step.ADOPT, Step.FORGET} for operation in operations)

    @property
    def risk(self) -> Risk | None:
        """The highest risk of the plan."""
        risks = [change.risk for change in self.plan.changes] if self.plan else []
        return max(risks, key=_WORST_LAST.index, default=None)

    @property
    def state(self) -> State:
        """The state of the commit status."""
        if self.error is not None:
            return State.FAILURE
        if self.run is not None:
            return State.SUCCESS if self.run.result is Result.DONE else State.FAILURE
        if self.unreviewed:
            return State.PENDING
        if self.violations or (self.plan and self.plan.blocked):
            return State.FAILURE
        return State.SUCCESS

    @property
    def is_done(self) -> bool:
        """Whether, after the merge, nothing is left to do."""
        if self.run is not None:
            return self.run.result is Result.DONE
        return self.plan is not None and not self.plan.changes and not self.plan.blocked

    @property
    def headline(self) -> str:
        """The findings in one line, without any text of the manifests."""
        if self.error is not None:
            return f"it cannot be planned: {self.error.code}"
        if self.run is not None:
            return f"run {self.run.number} {self.run.result}: {describe_outcomes(self.run)}"
        if self.unreviewed:
            if len(self.unreviewed) == 1:
                return "1 change waits for an approval: it is not as reviewed"
            return f"{len(self.unreviewed)} changes wait for an approval: they are not as reviewed"
        if self.manifest_changes is not None:
            count = len(self.manifest_changes)
            what = "1 manifest differs" if count == 1 else f"{count} manifests differ"
            return f"{what}; not planned, because its author may not write"
        if self.plan is None:
            return "nothing to do"
        parts = [describe_work(self.plan) or "nothing to do"]
        parts += [f"{len(self.plan.blocked)} blocked"] if self.plan.blocked else []
        parts += [f"stopped by {violation.code}" for violation in self.violations]
        return ", ".join(parts)

    def build_status(self, url: str) -> CommitStatus:
        """Return the infra's commit status; *url* is that of the comment."""
        return CommitStatus(
            context=f"{CONTEXT}/{self.infra}",
            state=self.state,
            description=self.headline,
            url=url,
        )


class Exposure(msgspec.Struct, frozen=True, order=True):
    """A secret in plain text: its place and its type, never the secret itself."""

    file: str
    line: int
    what: str


class PullReview(msgspec.Struct, frozen=True, kw_only=True):
    """The findings of a pull request.

    Args:
        pull: The pull request.
        infras: The findings of each infra that it touches, sorted.
        problem: Why there are no findings, for instance a conflict.
        exposures: Secrets in plain text that it adds.
        hidden: Their texts, which nothing that is published repeats.
        overlaps: The other pull requests that change the same resources, and these resources.
        renamed: The infras whose folder has a new name, and that name.
        is_trusted: Whether its author may write to the repository.
        is_foreign: Whether its base is another branch.
        applies_first: Whether it is applied before it is merged.
        drift: The drift that it is about, if it is a pull request about drift.
        paths: The files that it changes.
    """

    pull: PullRequest
    infras: tuple[InfraReview, ...] = ()
    problem: str = ""
    exposures: tuple[Exposure, ...] = ()
    hidden: Secret = msgspec.field(default_factory=lambda: Secret([]))
    overlaps: dict[int, tuple[str, ...]] = msgspec.field(default_factory=dict)
    renamed: dict[str, str] = msgspec.field(default_factory=dict)
    is_trusted: bool = True
    is_foreign: bool = False
    applies_first: bool = False
    drift: DriftPlace | None = None
    paths: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The infras that a command in it can name."""
        return (self.drift.infra,) if self.drift else tuple(infra.infra for infra in self.infras)

    @property
    def due(self) -> tuple[str, ...]:
        """The infras with changes that, after the merge, nothing blocks."""
        if not self.pull.merged:
            return ()
        return tuple(
            infra.infra
            for infra in self.infras
            if infra.plan and infra.plan.changes and not infra.unreviewed and not infra.violations
        )

    @property
    def state(self) -> State:
        """The state of the commit status of the whole."""
        if self.is_foreign or self.pull.is_closed:
            return State.SUCCESS
        if self.problem or self.exposures:
            return State.FAILURE
        states = {infra.state for infra in self.infras}
        return next(
            (item for item in (State.FAILURE, State.PENDING) if item in states), State.SUCCESS
        )

    @property
    def headline(self) -> str:
        """The findings of the whole in one line."""
        if self.exposures:
            count = len(self.exposures)
            return f"{count} secret{'s' * (count != 1)} in plain text"
        if self.problem:
            return self.problem
        if not self.infras:
            return "no infra is touched"
        failing = [infra.infra for infra in self.infras if infra.state is not State.SUCCESS]
        if failing:
            return f"not ready: {', '.join(failing[:3])}{' …' if len(failing) > 3 else ''}"  # noqa: PLR2004
        return f"{len(self.infras)} infra{'s' * (len(self.infras) != 1)} ready"

    def build_statuses(self, url: str) -> tuple[CommitStatus, ...]:
        """Return the commit statuses: the whole, and each infra."""
        whole = CommitStatus(context=CONTEXT, state=self.state, description=self.headline, url=url)
        return (whole, *(infra.build_status(url) for infra in self.infras))


def describe_outcomes(run: Run) -> str:
    """Return how many changes of *run* had which outcome, in words."""
    counts = Counter(change.outcome for change in run.changes)
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.items()) or "no changes"

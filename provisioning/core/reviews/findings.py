"""What a look at a pull request found, and the commit status that says it in a line."""

from __future__ import annotations

import msgspec

from provisioning.core.model.errors import ProvisioningError
from provisioning.core.model.records import Result, Run
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
    """What was found of one infra; see `PullReview`.

    Args:
        infra: Its name.
        plan: What would be done; None where nothing could be planned, or may not be.
        violations: The gates that stand in the way.
        error: Why there is no plan.
        manifest_changes: What differs in the manifests; of an untrusted author only.
        strays: What would be applied and was not reviewed, after the merge.
        run: The run that applied it, after the merge.
    """

    infra: str
    plan: Plan | None = None
    violations: tuple[GateViolation, ...] = ()
    error: ProvisioningError | None = None
    manifest_changes: tuple[ManifestChange, ...] | None = None
    strays: tuple[PlannedChange, ...] = ()
    run: Run | None = None

    @property
    def places(self) -> set[str]:
        """What is changed: `infra: Kind/name`."""
        changes = self.plan.changes if self.plan else self.manifest_changes or ()
        return {f"{self.infra}: {change.id}" for change in changes}

    @property
    def calls(self) -> int:
        """How many calls to providers the plan costs."""
        operations = compute_operations(self.plan) if self.plan else ()
        return sum(operation.step not in {Step.ADOPT, Step.FORGET} for operation in operations)

    @property
    def risk(self) -> Risk | None:
        """The worst that the plan can do."""
        risks = [change.risk for change in self.plan.changes] if self.plan else []
        return max(risks, key=_WORST_LAST.index, default=None)

    @property
    def state(self) -> State:
        """Whether this may go on."""
        if self.error is not None:
            return State.FAILURE
        if self.run is not None:
            return State.SUCCESS if self.run.result is Result.DONE else State.FAILURE
        if self.strays:
            return State.PENDING
        if self.violations or (self.plan and self.plan.blocked):
            return State.FAILURE
        return State.SUCCESS

    @property
    def is_settled(self) -> bool:
        """Whether, after the merge, nothing is left to be done."""
        if self.run is not None:
            return self.run.result is Result.DONE
        return self.plan is not None and not self.plan.changes and not self.plan.blocked

    @property
    def headline(self) -> str:
        """What is to be said in one line, without a word of the manifests' authors."""
        if self.error is not None:
            return f"it cannot be planned: {self.error.code}"
        if self.run is not None:
            return f"run {self.run.number} {self.run.result}: {_describe_outcomes(self.run)}"
        if self.strays:
            if len(self.strays) == 1:
                return "1 change waits for a yes: it is not as reviewed"
            return f"{len(self.strays)} changes wait for a yes: they are not as reviewed"
        if self.manifest_changes is not None:
            count = len(self.manifest_changes)
            what = "1 manifest differs" if count == 1 else f"{count} manifests differ"
            return f"{what}; not planned, for its author may not write"
        if self.plan is None:
            return "nothing to do"
        told = [describe_work(self.plan) or "nothing to do"]
        told += [f"{len(self.plan.blocked)} blocked"] if self.plan.blocked else []
        told += [f"stopped by {violation.code}" for violation in self.violations]
        return ", ".join(told)

    def build_status(self, url: str) -> CommitStatus:
        """Return the infra's commit status; *url* is where more is told."""
        return CommitStatus(
            context=f"{CONTEXT}/{self.infra}",
            state=self.state,
            description=self.headline,
            url=url,
        )


class Exposure(msgspec.Struct, frozen=True, order=True):
    """A secret in plain text: where it is, and what it looks like; never the secret."""

    file: str
    line: int
    what: str


class PullReview(msgspec.Struct, frozen=True, kw_only=True):
    """What was found of a pull request.

    Args:
        pull: It.
        infras: What was found of each infra that it touches, sorted.
        problem: Why there is nothing more to tell, for instance a conflict.
        exposures: Secrets in plain text that it brings.
        overlaps: The other pull requests that change the same resources, and these.
        renamed: The infras whose folder has a new name, and that name.
        is_trusted: Whether its author may write to the repository.
        is_foreign: Whether it is none of ours, for it is for another branch.
        applies_first: Whether it is applied before it is merged.
        drift: Which drift it is about, if it is one of those that we opened.
    """

    pull: PullRequest
    infras: tuple[InfraReview, ...] = ()
    problem: str = ""
    exposures: tuple[Exposure, ...] = ()
    overlaps: dict[int, tuple[str, ...]] = msgspec.field(default_factory=dict)
    renamed: dict[str, str] = msgspec.field(default_factory=dict)
    is_trusted: bool = True
    is_foreign: bool = False
    applies_first: bool = False
    drift: DriftPlace | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The infras that a command in it can be about."""
        return (self.drift.infra,) if self.drift else tuple(infra.infra for infra in self.infras)

    @property
    def due(self) -> tuple[str, ...]:
        """The infras in which, after the merge, nothing stands in the way of what is to be done."""
        if not self.pull.merged:
            return ()
        return tuple(
            infra.infra
            for infra in self.infras
            if infra.plan and infra.plan.changes and not infra.strays and not infra.violations
        )

    @property
    def state(self) -> State:
        """Whether the whole may go on."""
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
        """The whole in one line."""
        if self.exposures:
            count = len(self.exposures)
            return f"{count} secret{'s' * (count != 1)} in plain text"
        if self.problem:
            return self.problem
        if not self.infras:
            return "no infra is touched"
        bad = [infra.infra for infra in self.infras if infra.state is not State.SUCCESS]
        if bad:
            return f"not ready: {', '.join(bad[:3])}{' …' if len(bad) > 3 else ''}"  # noqa: PLR2004
        return f"{len(self.infras)} infra{'s' * (len(self.infras) != 1)} ready"

    def build_statuses(self, url: str) -> tuple[CommitStatus, ...]:
        """Return the commit statuses: the whole, and each infra."""
        whole = CommitStatus(context=CONTEXT, state=self.state, description=self.headline, url=url)
        return (whole, *(infra.build_status(url) for infra in self.infras))


def _describe_outcomes(run: Run) -> str:
    counts: dict[str, int] = {}
    for change in run.changes:
        counts[change.outcome] = counts.get(change.outcome, 0) + 1
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.items()) or "no changes"

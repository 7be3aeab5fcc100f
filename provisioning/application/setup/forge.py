"""`forge setup|check`: the rules of the repository at its forge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from provisioning.application.context import Context, StepDone, StepsPlanned, UseCaseRequest
from provisioning.core.model.ids import NAME
from provisioning.forges.setup.checks import compute_findings, list_obstacles
from provisioning.forges.setup.facts import Label, Wanted
from provisioning.forges.setup.findings import SetupFinding, SetupState, SetupStep
from provisioning.forges.tokens import TokenFile
from provisioning.reconciler.reviews.publisher import DESTRUCTIVE, LABELS, WAITING

if TYPE_CHECKING:
    from provisioning.application.workspace.workspace import Workspace
    from provisioning.forges.registry import ForgeRepository, RepositoryRules

COLOURS = {WAITING: "fbca04", DESTRUCTIVE: "d73a4a"}
"""Those of the labels, in hexadecimal; any other is blue."""

BLUE = "1d76db"


class CheckForgeRequest(UseCaseRequest[tuple[SetupFinding, ...]], frozen=True, kw_only=True):
    """Check the repository; *hook* is the webhook's address, if there is to be one."""

    hook: str | None = None


class SetupResult(msgspec.Struct, frozen=True, kw_only=True):
    """The steps that were done, and the findings that are left to a person."""

    steps: tuple[SetupStep, ...]
    left: tuple[SetupFinding, ...]


class SetupForgeRequest(UseCaseRequest[SetupResult], frozen=True, kw_only=True):
    """Set the repository up; *hook* is the webhook's address, if there is to be one."""

    hook: str | None = None


def check_forge(request: CheckForgeRequest, context: Context) -> tuple[SetupFinding, ...]:
    """Find what is missing or wrong, and change nothing."""
    workspace = context.open_workspace()
    return workspace.builders.forge_setup(workspace, request.hook).check()


def setup_forge(request: SetupForgeRequest, context: Context) -> SetupResult:
    """Show the steps that are needed, ask, and do them."""
    workspace = context.open_workspace()
    setup = workspace.builders.forge_setup(workspace, request.hook)
    findings = setup.check()
    needed = () if list_obstacles(findings) else findings
    steps = tuple(finding.step for finding in needed if finding.step)
    if steps:
        context.notify(StepsPlanned(steps))
        context.confirm("Do it?")
    for step in steps:
        setup.rules.apply(step.change)
        context.notify(StepDone(step))
    left = tuple(filter(is_bad, setup.check() if steps else findings))
    return SetupResult(steps=steps, left=left)


def is_bad(finding: SetupFinding) -> bool:
    """Tell whether somebody must do something about *finding*."""
    return finding.standing in {SetupState.MISSING, SetupState.WRONG}


class ForgeSetup(msgspec.Struct, frozen=True, kw_only=True):
    """The setup of one repository at its forge; *hook* is the webhook's address, if any."""

    workspace: Workspace
    forge: ForgeRepository
    rules: RepositoryRules
    secret: TokenFile
    hook: str | None

    def check(self) -> tuple[SetupFinding, ...]:
        """Return the findings about the repository as it is now."""
        wanted = self._read_wanted()
        return compute_findings(wanted, self.rules.read_facts(wanted.branch))

    def _read_wanted(self) -> Wanted:
        """Read the work tree's settings: a repository is set up before it is pushed to."""
        workspace, layers = self.workspace, self.workspace.settings.layers
        folder = workspace.settings.root / "infra"
        folders = folder.iterdir() if folder.is_dir() else ()
        names = sorted(item.name for item in folders if item.is_dir() and NAME.match(item.name))
        return Wanted(
            url=self.forge.url,
            repository=self.forge.repository,
            branch=workspace.settings.branch,
            infras=tuple(names),
            labels=tuple(
                Label(name, text, COLOURS.get(name, BLUE)) for name, text in LABELS.items()
            ),
            needs_approval=layers.get("review.policy").value == "pull-request",
            applies_first=layers.get("review.apply").value == "before-merge",
            hook=self.hook,
            secret_file=str(self.secret.path),
            secret_made=self.secret.read_time_made(),
        )

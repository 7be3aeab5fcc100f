"""Joins what sets a repository up at its forge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from provisioning.core.model.errors import InvalidConfiguration
from provisioning.core.model.ids import NAME
from provisioning.forges.registry import ForgeRepository, RepositoryRules
from provisioning.forges.setup.checks import compute_findings
from provisioning.forges.setup.facts import Label, Wanted
from provisioning.forges.setup.findings import Change, SetupFinding
from provisioning.forges.tokens import TokenFile
from provisioning.reconciler.reviews.publisher import DESTRUCTIVE, LABELS, WAITING

if TYPE_CHECKING:
    from provisioning.bootstrap.workspace import Workspace

COLOURS = {WAITING: "fbca04", DESTRUCTIVE: "d73a4a"}
"""Those of the labels, in hexadecimal; any other is blue."""

BLUE = "1d76db"


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """The setup of one repository at its forge; *hook* is the webhook's address, if any."""

    workspace: Workspace
    forge: ForgeRepository
    rules: RepositoryRules
    secret: TokenFile
    hook: str | None

    def look(self) -> tuple[SetupFinding, ...]:
        """Return what is to be said of it as it is now."""
        wanted = self._read_wanted()
        return compute_findings(wanted, self.rules.read_facts(wanted.branch))

    def apply(self, change: Change) -> None:
        """Make one change."""
        self.rules.apply(change)

    def _read_wanted(self) -> Wanted:
        """Read the work tree's settings: a repository is set up before it is pushed to."""
        workspace, settings = self.workspace, self.workspace.layers
        folder = workspace.root / "infra"
        folders = folder.iterdir() if folder.is_dir() else ()
        names = sorted(item.name for item in folders if item.is_dir() and NAME.match(item.name))
        return Wanted(
            url=self.forge.url,
            repository=self.forge.repository,
            branch=workspace.branch,
            infras=tuple(names),
            labels=tuple(
                Label(name, told, COLOURS.get(name, BLUE)) for name, told in LABELS.items()
            ),
            needs_approval=settings.get("review.policy").value == "pull-request",
            applies_first=settings.get("review.apply").value == "before-merge",
            hook=self.hook,
            secret_file=str(self.secret.path),
            secret_made=self.secret.read_time_made(),
        )


def build_setup(workspace: Workspace, hook: str | None) -> Setup:
    """Join the setup of a workspace's repository.

    Raises:
        InvalidConfiguration: If the workspace is at no forge.
    """
    if workspace.forge is None:
        raise InvalidConfiguration(
            "forge.kind is not set, so there is nothing to set up",
            hint="set forge.kind, url, repository and token_file in config/provisioning.yaml",
        )
    secret = workspace.build_token_file("webhook_secret_file")
    rules = workspace.forge.build_rules(secret.read_or_make)
    return Setup(workspace=workspace, forge=workspace.forge, rules=rules, secret=secret, hook=hook)

"""Joins the setup of a repository at its forge."""

from __future__ import annotations

from provisioning.application.setup.forge import ForgeSetup
from provisioning.application.workspace.workspace import Workspace


def build_setup(workspace: Workspace, hook: str | None) -> ForgeSetup:
    """Join the setup of a workspace's repository.

    Raises:
        InvalidConfiguration: If the workspace is at no forge.
    """
    forge = workspace.forge.require("there is nothing to set up")
    secret = workspace.forge.build_token_file("webhook_secret_file")
    rules = forge.build_rules(secret.read_or_make)
    return ForgeSetup(workspace=workspace, forge=forge, rules=rules, secret=secret, hook=hook)

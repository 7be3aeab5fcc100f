"""The infra that a cycle works on: what its planner, gatekeeper and runner share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from provisioning.core.model.kinds import Kind
from provisioning.core.model.masked import Masked
from provisioning.core.model.providers import Provider
from provisioning.gitstore.statelog.git_statelog import StateLog
from provisioning.reconciler.execution.lease import Clocks
from provisioning.reconciler.planning.plan_result import Settings


class InfraContext(Masked, frozen=True, kw_only=True):
    """One infra; *key* is that of fingerprints, *journals* the folder of its journals."""

    infra: str
    workspace: str
    log: StateLog
    kinds: Mapping[str, Kind]
    providers: Mapping[str, Provider]
    key: bytes
    journals: Path
    settings: Settings
    clocks: Clocks

    @property
    def owner(self) -> str:
        """The part of every ownership mark that names this infra."""
        return f"{self.workspace}/{self.infra}"

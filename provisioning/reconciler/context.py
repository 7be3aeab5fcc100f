"""The infra that a cycle works on: what its planner, gatekeeper and runner share."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from provisioning.core.model.ids import ResourceId
from provisioning.core.model.kinds import Kind
from provisioning.core.model.masked import Masked
from provisioning.core.model.providers import Provider
from provisioning.core.model.states import DesiredState, LiveState, RecordedState
from provisioning.core.plan.compute import compute_plan
from provisioning.core.plan.plan import Plan
from provisioning.gitstore.statelog.git_statelog import StateLog
from provisioning.reconciler.execution.lease import Clocks
from provisioning.reconciler.execution.provider_calls import plan_by_provider
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

    def compute_plan(
        self,
        desired: DesiredState,
        recorded: RecordedState,
        live: LiveState,
        corrects: Collection[ResourceId] = (),
    ) -> Plan:
        """Plan what takes the infra to *desired*; drift of *corrects* is corrected in any case."""
        return compute_plan(
            desired,
            recorded,
            live,
            kinds=self.kinds,
            workspace=self.workspace,
            key=self.key,
            corrects=corrects,
            plan_by_provider=plan_by_provider(self.providers),
        )

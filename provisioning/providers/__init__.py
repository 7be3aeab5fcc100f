"""What a provider is written with: the protocol, and the values it is asked with and answers."""

from provisioning.core.model.ids import Mark
from provisioning.core.model.kinds import Field, Kind
from provisioning.core.model.providers import (
    Absent,
    Call,
    ObservationTarget,
    Observed,
    Present,
    ProbeReady,
    Probes,
    ProbeWaiting,
    Provider,
    Unreadable,
)

__all__ = [
    "Absent",
    "Call",
    "Field",
    "Kind",
    "Mark",
    "ObservationTarget",
    "Observed",
    "Present",
    "ProbeReady",
    "ProbeWaiting",
    "Probes",
    "Provider",
    "Unreadable",
]

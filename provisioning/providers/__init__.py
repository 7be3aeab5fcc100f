"""What a provider is written with: the protocol, and the values it is asked with and answers."""

from provisioning.core.ids import Mark
from provisioning.core.kinds import Field, Kind
from provisioning.core.providers import (
    Absent,
    Call,
    Observed,
    Present,
    Probes,
    Provider,
    Ready,
    Target,
    Unreadable,
    Waiting,
)

__all__ = [
    "Absent",
    "Call",
    "Field",
    "Kind",
    "Mark",
    "Observed",
    "Present",
    "Probes",
    "Provider",
    "Ready",
    "Target",
    "Unreadable",
    "Waiting",
]

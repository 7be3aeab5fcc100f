"""The parts of tests of providers and forges; public, for extensions too.

`ProviderSuite` is the contract every provider keeps. `MemoryProvider` is a fake cloud that
keeps it; `FaultyProvider` makes any provider break it on purpose. `ForgeSuite` is that of every
forge, and `MemoryForge` a fake that keeps it. `cut_at` kills a run at its n-th effect. Nothing
here needs a pytest plugin.
"""

from provisioning.testing.effects import Crash, CutOff, PatchPoint, cut_at, trace_effects
from provisioning.testing.faults import (
    Attempt,
    Fault,
    Latch,
    after,
    answering,
    before,
    crash,
    half,
    lost,
    misbehave,
    permanent,
    slow,
    throttled,
    too_few_answers,
    transient,
    without,
)
from provisioning.testing.faulty import ALWAYS, Faults, FaultyProvider
from provisioning.testing.forges import MemoryForge, MemoryHub
from provisioning.testing.memory import MemoryProvider
from provisioning.testing.planning_provider import PlanningMemoryProvider
from provisioning.testing.suites import Case, ForgeSuite, Hub, ProviderSuite
from provisioning.testing.worlds import Live, World

__all__ = [
    "ALWAYS",
    "Attempt",
    "Case",
    "Crash",
    "CutOff",
    "Fault",
    "Faults",
    "FaultyProvider",
    "ForgeSuite",
    "Hub",
    "Latch",
    "Live",
    "MemoryForge",
    "MemoryHub",
    "MemoryProvider",
    "PatchPoint",
    "PlanningMemoryProvider",
    "ProviderSuite",
    "World",
    "after",
    "answering",
    "before",
    "crash",
    "cut_at",
    "half",
    "lost",
    "misbehave",
    "permanent",
    "slow",
    "throttled",
    "too_few_answers",
    "trace_effects",
    "transient",
    "without",
]  # fmt: skip

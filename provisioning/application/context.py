"""The surroundings of one call of a use case: who calls, and how it is answered on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

import msgspec

from provisioning.core.model.errors import InvalidArgument

if TYPE_CHECKING:
    from provisioning.application.workspace.workspace import Workspace
    from provisioning.core.model.kinds import Kind
    from provisioning.core.model.records import LogSnapshot
    from provisioning.core.plan.plan import Plan
    from provisioning.core.policy.gates import GateViolation
    from provisioning.forges.setup.findings import SetupStep
    from provisioning.reconciler.events import Event
    from provisioning.reconciler.execution.cancellation import Cancellation
    from provisioning.reconciler.operations.undo import UndoPlan
    from provisioning.reconciler.resync import ResyncResult

Result_co = TypeVar("Result_co", covariant=True)


class UseCaseRequest(msgspec.Struct, Generic[Result_co], frozen=True, kw_only=True):
    """The request of a use case; its parameter is the type of the result."""


class InfraRequest(UseCaseRequest[Result_co], Generic[Result_co], frozen=True, kw_only=True):
    """The request of a use case that works on *infra*, or on all."""

    infra: str | None = None


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """The principal of a call: a user, and the interface it came through."""

    user: str
    interface: str


class Planned(msgspec.Struct, frozen=True):
    """A plan that is about to be applied, or to be asked about."""

    plan: Plan
    violations: tuple[GateViolation, ...] = ()


class InfraEnded(msgspec.Struct, frozen=True):
    """One infra's reconciliation has ended."""

    result: ResyncResult


class UndoPlanned(msgspec.Struct, frozen=True):
    """The commit that undoes a run, before it is published."""

    undo_plan: UndoPlan


class CompactionPlanned(msgspec.Struct, frozen=True):
    """The snapshot that a state log's old entries become, None if none is old enough."""

    infra: str
    snapshot: LogSnapshot | None
    kept: int


class LogCompacted(msgspec.Struct, frozen=True):
    """A state log was compacted."""

    infra: str


class StepsPlanned(msgspec.Struct, frozen=True):
    """The steps that set a repository up at its forge."""

    steps: tuple[SetupStep, ...]


class StepDone(msgspec.Struct, frozen=True):
    """One step of the setup is done."""

    step: SetupStep


class ForgeNotTold(msgspec.Struct, frozen=True):
    """The forge could not be updated after a run; the next review does it."""

    message: str


Notice: TypeAlias = (
    "Event | Planned | InfraEnded | UndoPlanned | CompactionPlanned | LogCompacted | StepsPlanned"
    " | StepDone | ForgeNotTold"
)
"""One event of a use case, before it returns."""


def ignore(notice: Notice) -> None:
    """Drop *notice*."""
    del notice


def refuse(question: str) -> None:
    """Refuse *question*: nobody can be asked."""
    raise InvalidArgument(f"nobody can be asked: {question}", hint="approve it beforehand")


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """The surroundings of one call.

    Args:
        caller: Who calls.
        open_workspace: Opens the workspace, once; raises `WorkspaceNotFound` if there is none.
        list_kinds: Lists the kinds of every provider, by name.
        notify: Takes the events on the way.
        confirm: Asks before something is done that was shown; raises if the answer is no.
        stop: Asks a run to stop.
    """

    caller: Caller
    open_workspace: Callable[[], Workspace]
    list_kinds: Callable[[], dict[str, Kind]]
    notify: Callable[[Notice], None] = ignore
    confirm: Callable[[str], None] = refuse
    stop: Cancellation | None = None

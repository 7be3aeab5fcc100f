"""The infras, and the resource, that a request means."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from provisioning.core.model.errors import InvalidArgument
from provisioning.core.model.ids import CommitId, ResourceId, parse_resource_id

if TYPE_CHECKING:
    from provisioning.application.workspace.workspace import Workspace
    from provisioning.core.statelog.transitions import LogView
    from provisioning.gitstore.statelog.git_statelog import GitStateLog
    from provisioning.reconciler.cycle import Reconciler


class InfraSelection(msgspec.Struct, frozen=True, kw_only=True):
    """The newest desired state of a workspace, and the infras to work on."""

    workspace: Workspace
    commit: CommitId
    infras: tuple[str, ...]

    def sort(self) -> InfraSelection:
        """Return it with each infra after those that it refers to.

        Raises:
            DependencyCycle: If they refer to each other in a cycle.
        """
        if len(self.infras) == 1:
            return self
        from provisioning.core.infras.order import order_infras

        needs = self.workspace.read_needs(self.commit, self.infras)
        return msgspec.structs.replace(self, infras=tuple(order_infras(needs)))

    def build_reconcilers(self) -> Iterator[Reconciler]:
        """Join the reconciler of each infra, one after the other."""
        return (self.workspace.build_reconciler(infra, self.commit) for infra in self.infras)

    def build_logs(self) -> Iterator[GitStateLog]:
        """Join the state log of each infra, one after the other."""
        return (self.workspace.logs.build(infra) for infra in self.infras)

    def read_views(self) -> dict[str, LogView]:
        """Read each state log, by infra."""
        return {log.infra: log.read() for log in self.build_logs()}


def select_infras(
    workspace: Workspace,
    infra: str | None,
    *,
    recorded: bool = True,
    commit: CommitId | None = None,
) -> InfraSelection:
    """Fetch, and choose *infra*, or all; with *commit*, fetch nothing and work on that.

    With *recorded*, an infra counts, too, that is gone from Git and has only a state log.

    Raises:
        InvalidArgument: If there is no such infra.
    """
    commit = commit or workspace.commits.fetch()
    infras = workspace.choose_infras(commit, infra, recorded=recorded)
    return InfraSelection(workspace=workspace, commit=commit, infras=tuple(infras))


def find_resource(
    infras: Sequence[str], given: str | None, name: str, has: Callable[[str, ResourceId], bool]
) -> tuple[str, ResourceId]:
    """Return the infra of *infras* that has *name*, the *given* one if any, and its id.

    Raises:
        InvalidArgument: If it is no id, or several infras have such a resource, or none.
    """
    resource = parse_resource_id(name)
    if given is not None:
        return given, resource
    found = [infra for infra in infras if has(infra, resource)]
    if len(found) > 1:
        raise InvalidArgument(
            f"{name} is in {', '.join(found)}", hint=f"name the infra first: {found[0]} {name}"
        )
    if found or len(infras) == 1:
        return (found or infras)[0], resource
    raise InvalidArgument(
        f"no infra has a resource {name!r}", hint="`provisioning get` lists what is recorded"
    )


def find_only(infras: Sequence[str], given: str | None) -> str:
    """Return the infra *given*, which may be None if there is only one.

    Raises:
        InvalidArgument: If there is no such infra, or which one is meant cannot be known.
    """
    known = ", ".join(infras) or "none"
    if given is None:
        if len(infras) != 1:
            raise InvalidArgument(
                "which infra is meant?", hint=f"name it first; there are: {known}"
            )
        return infras[0]
    if given not in infras:
        raise InvalidArgument(f"there is no infra {given!r}", hint=f"there are: {known}")
    return given

"""`validate` and `schema`: manifests, as they are committed and as they may be."""

from __future__ import annotations

from typing import Any

import msgspec

from provisioning.application.context import Context, InfraRequest, UseCaseRequest
from provisioning.application.selection import select_infras
from provisioning.core.model.errors import InvalidArgument, InvalidWorkspace, ProvisioningError
from provisioning.core.model.ids import CommitId


class ValidatedInfras(msgspec.Struct, frozen=True, kw_only=True):
    """The number of valid resources of each infra at *commit*."""

    commit: CommitId
    counts: dict[str, int]


class ValidateRequest(InfraRequest[ValidatedInfras], frozen=True, kw_only=True):
    """Check the manifests of *infra*, or of all."""


class SchemaRequest(UseCaseRequest[dict[str, Any]], frozen=True, kw_only=True):
    """Compute the JSON Schema of manifests of *kind*, or of any kind."""

    kind: str | None = None


def validate(request: ValidateRequest, context: Context) -> ValidatedInfras:
    """Compile the manifests, and observe nothing.

    Raises:
        InvalidWorkspace: If any is broken; it names every problem of every infra.
    """
    from provisioning.core.manifests.desired_state import raise_problems

    selection = select_infras(context.open_workspace(), request.infra, recorded=False)
    problems: list[ProvisioningError] = []
    counts = {}
    for infra in selection.infras:
        try:
            reconciler = selection.workspace.build_reconciler(infra, selection.commit)
            counts[infra] = len(reconciler.planner.read_desired(selection.commit).resources)
        except InvalidWorkspace as exc:
            problems += exc.problems
        except ProvisioningError as exc:
            problems.append(exc)
    raise_problems(problems)
    return ValidatedInfras(commit=selection.commit, counts=counts)


def schema(request: SchemaRequest, context: Context) -> dict[str, Any]:
    """Compute the JSON Schema; no workspace is needed.

    Raises:
        InvalidArgument: If there is no such kind.
    """
    from provisioning.core.manifests.json_schema import compute_schema
    from provisioning.core.model.values import find_nearest

    kinds, kind = context.list_kinds(), request.kind
    if kind is not None and kind not in kinds:
        nearest = find_nearest(kind, kinds)
        raise InvalidArgument(
            f"no kind is called {kind!r}",
            hint=f"did you mean {nearest!r}?" if nearest else f"there are: {', '.join(kinds)}",
        )
    return compute_schema([kinds[kind]] if kind else list(kinds.values()))

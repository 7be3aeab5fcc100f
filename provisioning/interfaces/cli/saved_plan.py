"""Saved plans: what was reviewed, and nothing secret."""

from __future__ import annotations

from pathlib import Path

import msgspec

from provisioning.core.model.errors import InvalidArgument, StorageFailed
from provisioning.core.model.ids import CommitId
from provisioning.core.model.values import UNDECODABLE, Digest
from provisioning.interfaces.schema.plans import PlanDocument
from provisioning.reconciler.planning.plan_result import PlanResult, RunRequest


class SavedPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The inputs with which `apply --plan` makes the same plan again, and its digest."""

    infra: str
    commit: CommitId
    digest: Digest
    targets: tuple[str, ...]
    excludes: tuple[str, ...]
    allow: tuple[str, ...]
    plan: dict[str, object]
    format: int = 1


def save_plan(path: Path, plan_result: PlanResult, request: RunRequest) -> None:
    """Write the plan of *plan_result* to *path*.

    Raises:
        StorageFailed: If it cannot be written.
    """
    plan = plan_result.plan
    saved = SavedPlan(
        infra=plan.infra,
        commit=plan.commit,
        digest=plan.digest,
        targets=tuple(request.targets),
        excludes=tuple(request.excludes),
        allow=tuple(request.allow),
        plan=msgspec.to_builtins(PlanDocument.of(plan)),
    )
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(saved), indent=2) + b"\n")
    except OSError as exc:
        raise StorageFailed(f"{path} cannot be written: {exc.strerror}") from exc


def load_plan(path: Path) -> SavedPlan:
    """Read the plan saved at *path*.

    Raises:
        InvalidArgument: If it is not one.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=SavedPlan)
    except (OSError, *UNDECODABLE) as exc:
        raise InvalidArgument(
            f"{path} is not a saved plan: {exc}",
            hint="make one with `provisioning plan --out FILE`",
        ) from exc

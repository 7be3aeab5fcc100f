"""The checks of `doctor`: one result each, with a remedy where it is not ok."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum

import msgspec

from provisioning.core.model.errors import InvalidWorkspace, ProvisioningError


class Health(StrEnum):
    """The result of a check."""

    OK = "ok"
    WARNING = "warning"
    """It works, and may surprise."""
    ERROR = "error"
    """Runs fail."""


class CheckResult(msgspec.Struct, frozen=True):
    """The result of a check: a few words, and a remedy where it is not ok."""

    message: str
    health: Health = Health.OK
    remedy: str | None = None


class Check(msgspec.Struct, frozen=True):
    """One check; a `ProvisioningError` of its *answer* is a result, too."""

    area: str
    name: str
    answer: Callable[[], CheckResult]


class HealthReport(msgspec.Struct, frozen=True, kw_only=True):
    """One check and its result."""

    area: str
    name: str
    health: Health
    message: str
    remedy: str | None


def run_checks(checks: Iterable[Check]) -> Iterator[HealthReport]:
    """Run every check, in order; one that fails does not stop the others."""
    for check in checks:
        try:
            answer = check.answer()
        except ProvisioningError as exc:
            first = exc.problems[0] if isinstance(exc, InvalidWorkspace) else exc
            message = f"{exc.message}: {first}" if first is not exc else str(exc)
            answer = CheckResult(message, Health.ERROR, first.hint)
        yield HealthReport(
            area=check.area,
            name=check.name,
            health=answer.health,
            message=answer.message,
            remedy=answer.remedy,
        )

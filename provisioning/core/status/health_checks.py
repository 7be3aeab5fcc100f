"""What `doctor` finds: one answer a check, each that is not good with its remedy. Values only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum

import msgspec

from provisioning.core.model.errors import InvalidWorkspace, ProvisioningError


class Health(StrEnum):
    """How something is."""

    GOOD = "good"
    DOUBTFUL = "doubtful"
    """It works, and may surprise."""
    BAD = "bad"
    """Runs will fail."""


class CheckResult(msgspec.Struct, frozen=True):
    """What a check says: a few words, and what to do if all is not well."""

    message: str
    health: Health = Health.GOOD
    remedy: str | None = None


class Check(msgspec.Struct, frozen=True):
    """One question: its area, its name, and how it is answered. An error of ours is an answer."""

    area: str
    name: str
    answer: Callable[[], CheckResult]


class HealthReport(msgspec.Struct, frozen=True, kw_only=True):
    """One check and its answer."""

    area: str
    name: str
    health: Health
    message: str
    remedy: str | None


def run_checks(checks: Iterable[Check]) -> Iterator[HealthReport]:
    """Answer every check, in order; one that fails does not keep the others from being made."""
    for check in checks:
        try:
            answer = check.answer()
        except ProvisioningError as exc:
            first = exc.problems[0] if isinstance(exc, InvalidWorkspace) else exc
            message = f"{exc.message}: {first}" if first is not exc else str(exc)
            answer = CheckResult(message, Health.BAD, first.hint)
        yield HealthReport(
            area=check.area,
            name=check.name,
            health=answer.health,
            message=answer.message,
            remedy=answer.remedy,
        )

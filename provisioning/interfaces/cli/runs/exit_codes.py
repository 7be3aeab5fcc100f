"""The exit codes of runs; all of them are in `docs/reference/exit-codes.md`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provisioning.application.runs.apply import RunResults
    from provisioning.reconciler.resync import ResyncResult

PENDING, BLOCKED, INTERRUPTED = 2, 3, 130

CODES = {"unchanged": 0, "applied": 0, "failed": 1, "blocked": BLOCKED, "interrupted": INTERRUPTED}
"""The exit code of each conclusion."""


def compute_exit_code(ended: RunResults) -> int:
    """Return the exit code of a command that ran on several infras."""
    codes = [_get_code(result) for result in ended.results]
    return _join([*codes, INTERRUPTED] if ended.is_interrupted else codes)


def _get_code(result: ResyncResult) -> int:
    if result.report:
        return CODES[result.report.conclusion]
    return result.error.exit_code if result.error else BLOCKED


def _join(codes: Iterable[int]) -> int:
    """Return the worst: interrupted, failed, blocked, done."""
    return max(codes, key=lambda code: (code == INTERRUPTED, code == 1, code), default=0)

"""Resync of many infras: each after those it refers to, independent ones in parallel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

import msgspec

from provisioning.core.infras.order import Needs, order_infras
from provisioning.core.model.errors import ProvisioningError
from provisioning.reconciler.planning.plan_result import Conclusion, Report

SUCCESSFUL = frozenset({Conclusion.UNCHANGED, Conclusion.APPLIED})
"""The conclusions after which the infras that refer to an infra may go on."""


class ResyncResult(msgspec.Struct, frozen=True, kw_only=True):
    """How the resync of one infra ended: a report, an error, or the infra that it waits for."""

    infra: str
    report: Report | None = None
    error: ProvisioningError | None = None
    waits_for: str | None = None

    @property
    def is_success(self) -> bool:
        """Whether the infras that refer to it may go on."""
        return self.report is not None and self.report.conclusion in SUCCESSFUL


def resync(
    needs: Needs,
    run: Callable[[str], Report],
    *,
    parallelism: int,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Iterator[ResyncResult]:
    """Run every infra of *needs*, and yield each as soon as it has ended.

    An infra is skipped if one that it refers to did not succeed. A `ProvisioningError` ends its
    infra alone; any other exception ends the resync.

    Args:
        needs: Which infras refer to which; without cycles.
        run: Reconciles one infra; called from threads.
        parallelism: How many run at once.
        is_stopped: Is asked before each; once true, nothing new begins.
    """
    waiting = order_infras(needs)
    ended: dict[str, ResyncResult] = {}
    running: dict[Future[Report], str] = {}
    with ThreadPoolExecutor(max(parallelism, 1)) as pool:
        while waiting or running:
            yield from _skip(waiting, needs, ended)
            if is_stopped():
                waiting.clear()
            succeeded = {infra for infra, result in ended.items() if result.is_success}
            ready = [infra for infra in waiting if succeeded.issuperset(needs[infra])]
            for infra in ready:
                if len(running) < parallelism:
                    waiting.remove(infra)
                    running[pool.submit(run, infra)] = infra
            if not running:
                continue
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                infra = running.pop(future)
                ended[infra] = _conclude(infra, future)
                yield ended[infra]


def _skip(
    waiting: list[str], needs: Needs, ended: dict[str, ResyncResult]
) -> Iterator[ResyncResult]:
    for infra in list(waiting):
        upstream = [ended[need] for need in needs[infra] if need in ended]
        failed = next((result for result in upstream if not result.is_success), None)
        if failed is not None:
            waiting.remove(infra)
            ended[infra] = ResyncResult(infra=infra, waits_for=failed.infra)
            yield ended[infra]


def _conclude(infra: str, future: Future[Report]) -> ResyncResult:
    try:
        return ResyncResult(infra=infra, report=future.result())
    except ProvisioningError as exc:
        return ResyncResult(infra=infra, error=exc)

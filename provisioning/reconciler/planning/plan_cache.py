"""Saves what is unchanged for the next plan: after a plan, and after a run that did it all."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import msgspec
from msgspec.structs import replace

from provisioning.core.model.ids import ResourceId
from provisioning.core.model.kinds import Kind
from provisioning.core.model.records import Record
from provisioning.core.model.resources import Resource
from provisioning.core.model.states import RecordedState
from provisioning.core.plan.plan import Plan
from provisioning.core.plan.plan_cache import PlanCache, compute_plan_cache
from provisioning.gitstore.statelog.recorded import Records
from provisioning.localstore.plan_cache import save_cache


class CacheUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """The resources that a plan covered; those it leaves alone are saved at *path*.

    The file may vanish at any time. See `core.plan.plan_cache.compute_plan_cache`.
    """

    base: PlanCache
    seen: Collection[ResourceId]
    resources: Collection[Resource]
    kinds: Mapping[str, Kind]
    path: Path

    def save(self, recorded: RecordedState, plan: Plan) -> None:
        """Save what *plan*, computed from *recorded*, leaves alone."""
        plan_cache = compute_plan_cache(
            self.base,
            self.seen,
            resources=self.resources,
            recorded=recorded,
            plan=plan,
            kinds=self.kinds,
        )
        if is_worthwhile(plan_cache, len(plan_cache.unsettled)):
            save_cache(self.path, plan_cache)

    def save_after(
        self,
        recorded: RecordedState,
        plan: Plan,
        changed: Mapping[ResourceId, Record | None],
        records: Records,
    ) -> None:
        """Save what is left alone after a run of *plan* in which nothing failed.

        A second run of the same commit plans nothing (P1), so it need not be tried. *recorded* is
        from before the run, *changed* what it wrote (None: gone), *records* all that is there now.
        """
        merged = {**recorded.records, **changed}
        after = {name: record for name, record in merged.items() if record is not None}
        base = replace(self.base, records=records.id, recorded=len(after))
        done = {*plan.unchanged, *(changed.keys() & after.keys())}
        replace(self, base=base).save(
            RecordedState(head=records.head, records=after),
            replace(plan, unchanged=tuple(sorted(done))),
        )


def is_worthwhile(plan_cache: PlanCache, unsettled: int) -> bool:
    """Tell whether leaving out what is cached spares more than it costs."""
    return unsettled < len(plan_cache.settled)

"""The watches of providers that notice when a recorded resource may have changed."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from provisioning.controller.events import EventSink, WatchFailed
from provisioning.controller.worker_pool import WorkerPool
from provisioning.controller.workspace_state import WorkspaceState
from provisioning.core.model.errors import ProvisioningError
from provisioning.core.model.providers import Watch, Watches
from provisioning.core.plan.observation_targets import build_target
from provisioning.core.scheduling.backoff import HEALINGS, LOOKS, TokenBucket
from provisioning.core.scheduling.workqueue import Urgency, Work
from provisioning.core.statelog.transitions import LogView
from provisioning.providers.instance import find_ability
from provisioning.reconciler.context import InfraContext


@dataclass(slots=True)
class WatchRegistry:
    """The watches of one workspace. Where one fails, the scheduled resync still finds drift."""

    state: WorkspaceState
    worker_pool: WorkerPool
    notify: EventSink
    _watches: dict[Watches, Watch] = field(default_factory=dict)
    _followed: dict[str, str] = field(default_factory=dict)
    _healings: dict[str, TokenBucket] = field(default_factory=dict)
    _checks: dict[str, TokenBucket] = field(default_factory=dict)
    _reported: set[str] = field(default_factory=set)
    _mutex: threading.Lock = field(default_factory=threading.Lock)

    def follow(self, context: InfraContext, view: LogView) -> None:
        """Watch the resources recorded at *view*, if the records changed."""
        infra = context.infra
        try:
            records = context.log.open_records(view)
            if self._followed.get(infra) != records.id:
                self._followed[infra] = records.id
                self._follow(context, view)
        except Exception as exc:  # noqa: BLE001  a broken watch must not end the cycle
            self._followed.pop(infra, None)
            self._report_once(exc)

    def follow_run(self, context: InfraContext) -> None:
        """Watch the records of a run, and queue a check of what may have changed before that."""
        self.follow(context, context.log.read_local())
        if self._watches:
            self._add(context.infra, "watched from now on")

    def count(self, work: Work, *, has_run: bool) -> None:
        """Count a cycle that a watch requested."""
        infra, now = work.key.name, self.worker_pool.now()
        if work.urgency is Urgency.DRIFT:
            self._checks[infra] = self._checks.get(infra, LOOKS).spend(now)
            if has_run:
                self._healings[infra] = self._healings.get(infra, HEALINGS).spend(now)

    def forget(self, infra: str) -> None:
        """Drop the state of an infra that no longer exists."""
        for states in (self._followed, self._healings, self._checks):
            states.pop(infra, None)

    def close(self) -> None:
        """Close every watch."""
        for watch in self._watches.values():
            watch.close()

    def _follow(self, context: InfraContext, view: LogView) -> None:
        records = context.log.open_records(view).read_all().values()
        owner = context.owner
        for name, provider in context.providers.items():
            if watches := find_ability(provider, Watches):
                own = [record for record in records if record.provider == name]
                targets = [build_target(record, record.attributes) for record in own]
                self._open(watches).follow(owner, targets)

    def _open(self, provider: Watches) -> Watch:
        with self._mutex:
            if provider not in self._watches:
                self._watches[provider] = provider.open_watch(self._queue_check)
            return self._watches[provider]

    def _queue_check(self, owner: str) -> None:
        """Queue the infra of *owner*; its cycle follows anew, as resources may have moved."""
        infra = owner.partition("/")[2]
        self._followed.pop(infra, None)
        self._add(infra, "something changed")

    def _add(self, infra: str, reason: str) -> None:
        """Queue *infra* at once, or later if it was checked often of late."""
        buckets = self._healings.get(infra, HEALINGS), self._checks.get(infra, LOOKS)
        due = max(bucket.get_due(self.worker_pool.now()) for bucket in buckets)
        self.worker_pool.add(self.state.get_key(infra), Urgency.DRIFT, reason, due)

    def _report_once(self, exc: Exception) -> None:
        error = exc if isinstance(exc, ProvisioningError) else ProvisioningError(repr(exc))
        if str(error) not in self._reported:
            self._reported.add(str(error))
            self.notify(WatchFailed(workspace=self.state.name, error=error))

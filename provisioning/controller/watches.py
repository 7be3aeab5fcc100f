"""Lets the providers that can watch tell when something that is recorded may have changed."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from provisioning.controller.events import EventSink, WatchFailed
from provisioning.controller.worker_pool import WorkerPool
from provisioning.controller.workspace_state import WorkspaceState
from provisioning.core.model.errors import ProvisioningError
from provisioning.core.model.providers import ObservationTarget, Watch, Watches
from provisioning.core.scheduling.backoff import HEALINGS, LOOKS, TokenBucket
from provisioning.core.scheduling.workqueue import Urgency, Work
from provisioning.core.statelog.transitions import LogView
from provisioning.providers.instance import find_ability
from provisioning.reconciler.cycle import Reconciler


@dataclass(slots=True)
class WatchRegistry:
    """The watches of one workspace. A watch is a hint: where it fails, the resyncs are left."""

    kept: WorkspaceState
    worker_pool: WorkerPool
    tell: EventSink
    _watches: dict[Watches, Watch] = field(default_factory=dict)
    _followed: dict[str, str] = field(default_factory=dict)
    _healings: dict[str, TokenBucket] = field(default_factory=dict)
    _looks: dict[str, TokenBucket] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)
    _mutex: threading.Lock = field(default_factory=threading.Lock)

    def follow(self, reconciler: Reconciler, view: LogView) -> None:
        """Follow what is recorded at *view*, if that is not what is followed."""
        infra = reconciler.infra
        try:
            records = reconciler.log.open_records(view)
            if self._followed.get(infra) != records.id:
                self._followed[infra] = records.id
                self._follow(reconciler, view)
        except Exception as exc:  # noqa: BLE001  whatever a watch does, the cycle goes on
            self._followed.pop(infra, None)
            self._tell_once(exc)

    def follow_anew(self, reconciler: Reconciler) -> None:
        """Follow what a run has made, and look once more at what may have changed before that."""
        self.follow(reconciler, reconciler.log.read_local())
        if self._watches:
            self._ask(reconciler.infra, "watched from now on")

    def count(self, work: Work, *, has_run: bool) -> None:
        """Count a look that a watch had asked for."""
        infra, now = work.key.name, self.worker_pool.now()
        if work.urgency is Urgency.DRIFT:
            self._looks[infra] = self._looks.get(infra, LOOKS).spend(now)
            if has_run:
                self._healings[infra] = self._healings.get(infra, HEALINGS).spend(now)

    def forget(self, infra: str) -> None:
        """Drop what is remembered of an infra that is no more."""
        for item in (self._followed, self._healings, self._looks):
            item.pop(infra, None)

    def close(self) -> None:
        """Watch nothing any more."""
        for watch in self._watches.values():
            watch.close()

    def _follow(self, reconciler: Reconciler, view: LogView) -> None:
        every = reconciler.log.open_records(view).read_all().values()
        owner = reconciler.owner
        for name, provider in reconciler.providers.items():
            if watches := find_ability(provider, Watches):
                targets = [
                    ObservationTarget(id=item.id, kind=item.kind, attributes=item.attributes)
                    for item in every
                    if item.provider == name
                ]
                self._open(watches).follow(owner, targets)

    def _open(self, provider: Watches) -> Watch:
        with self._mutex:
            if provider not in self._watches:
                self._watches[provider] = provider.open_watch(self._notice)
            return self._watches[provider]

    def _notice(self, owner: str) -> None:
        """Ask for a look, which follows anew: what was followed may have another place by now."""
        infra = owner.partition("/")[2]
        self._followed.pop(infra, None)
        self._ask(infra, "something changed")

    def _ask(self, infra: str, reason: str) -> None:
        """Ask for a look: at once, unless there were many of late."""
        now = self.worker_pool.now()
        buckets = self._healings.get(infra, HEALINGS), self._looks.get(infra, LOOKS)
        due = max(bucket.get_due(now) for bucket in buckets)
        self.worker_pool.add(self.kept.get_key(infra), Urgency.DRIFT, reason, due)

    def _tell_once(self, exc: Exception) -> None:
        error = exc if isinstance(exc, ProvisioningError) else ProvisioningError(repr(exc))
        if str(error) not in self._told:
            self._told.add(str(error))
            self.tell(WatchFailed(workspace=self.kept.name, error=error))

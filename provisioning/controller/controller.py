"""The service: keepers of workspaces, one crew and one schedule for all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from provisioning.controller.schedule import Schedule
from provisioning.controller.worker_pool import WorkerPool
from provisioning.controller.workspace_controller import WorkspaceController
from provisioning.core.model.errors import InvalidArgument
from provisioning.core.scheduling.workqueue import Ending, Key, Work
from provisioning.reconciler.execution.cancellation import Cancellation

ALIVE = 30.0
"""Seconds without a beat of the supervisor after which the service counts as dead."""


LATE = 60.0
"""Seconds by which a look for news may be late before that is a trouble."""


@dataclass(slots=True)
class Controller:
    """Everything that runs. *stop* ends the runs in hand after the operations in hand.

    Whoever waits for the end of a drain is woken by *wake*, and finds *ended* set.
    """

    workspace_controllers: Mapping[str, WorkspaceController]
    worker_pool: WorkerPool
    schedule: Schedule
    stop: Cancellation
    ended: threading.Event = field(default_factory=threading.Event)
    wake: Callable[[], None] = lambda: None
    is_draining: bool = False

    def start(self) -> None:
        """Begin; returns at once."""
        self.worker_pool.start(self._work)
        self.schedule.start()
        for controller in self.workspace_controllers.values():
            controller.start()

    def _work(self, work: Work) -> Ending:
        return self.workspace_controllers[work.key.workspace].work(work)

    def close(self, seconds: float) -> bool:
        """Stop: what is in hand is finished within *seconds*; tell whether it was."""
        self.stop.request()
        self.schedule.close()
        self.worker_pool.close()
        is_done = self.worker_pool.join_all(seconds)
        for controller in self.workspace_controllers.values():
            controller.close()
        return is_done

    def drain(self) -> None:
        """Take nothing new, let the runs in hand come to their end, and end then."""
        self.is_draining = True
        self.worker_pool.close()
        threading.Thread(target=self._await_drained, name="drain", daemon=True).start()

    def _await_drained(self) -> None:
        while not self.worker_pool.join(ALIVE):
            pass
        self.ended.set()
        self.wake()

    def reload(self) -> None:
        """Read the settings of every workspace again."""
        for controller in self.workspace_controllers.values():
            controller.reload()

    def reconcile(self, key: Key) -> None:
        """Look for news now, and then at an infra, before others."""
        self.workspace_controllers[key.workspace].ask(key.name)

    def check_begins(self, key: Key) -> None:
        """Make sure that a cycle of *key* would be begun.

        Raises:
            InvalidArgument: If not: it is paused, or the service ends.
        """
        with self.worker_pool.open_queue() as queue:
            is_paused = queue.is_paused or key in queue.paused
        if is_paused or self.is_draining:
            raise InvalidArgument(
                f"{key} is {'paused' if is_paused else 'not begun any more: the service drains'}",
                hint="`provisioning serve resume` ends a pause",
            )

    def find_key(self, name: str) -> Key:
        """Return the key of the infra *name*, `workspace/infra` or, if it is unique, `infra`.

        Raises:
            InvalidArgument: If there is none, or more than one.
        """
        workspace, slash, infra = name.rpartition("/")
        found = [
            workspace_controller.kept.get_key(infra)
            for workspace_controller in self.workspace_controllers.values()
            if infra in workspace_controller.kept.infras
            and (not slash or workspace_controller.kept.name == workspace)
        ]
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(str(item) for item in found)
            raise InvalidArgument(
                f"several workspaces have an infra {infra!r}", hint=f"write one of {names}"
            )
        raise InvalidArgument(
            f"no infra {name!r} is kept", hint="`provisioning serve status` lists those that are"
        )

    @property
    def is_alive(self) -> bool:
        """Whether the supervisor of the workers is."""
        return self.worker_pool.now() - self.worker_pool.beat < ALIVE

    @property
    def has_begun(self) -> bool:
        """Whether every workspace was looked at since the start, or the last reload."""
        return all(controller.has_looked for controller in self.workspace_controllers.values())

    def list_troubles(self) -> list[str]:
        """Return what keeps the service from its work, a sentence each; none if it is ready."""
        troubles = ["it is draining"] if self.is_draining else []
        for controller in self.workspace_controllers.values():
            kept = controller.kept
            if kept.error is not None:
                troubles.append(f"{kept.name}: {kept.error}")
            elif kept.read_at is None:
                troubles.append(f"{kept.name} is being read for the first time")
            elif (late := self.worker_pool.now() - kept.due) > LATE:
                troubles.append(f"{kept.name} should have been read {late:.0f} s ago")
            if kept.settings_error is not None:
                troubles.append(f"{kept.name}: its settings are broken: {kept.settings_error}")
        hung = (f"{item.key}: its worker hangs" for item in self.worker_pool.list_hung())
        return [*troubles, *hung]

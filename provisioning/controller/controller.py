"""The controller of a service: workspace controllers that share one worker pool and schedule."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from provisioning.controller.schedule import Schedule
from provisioning.controller.worker_pool import WorkerPool
from provisioning.controller.workspace_controller import WorkspaceController
from provisioning.core.model.errors import InvalidArgument
from provisioning.core.scheduling.workqueue import Key
from provisioning.reconciler.execution.cancellation import Cancellation

HEARTBEAT_TIMEOUT = 30.0
"""Seconds without a heartbeat of the supervisor after which the service counts as dead."""

MAX_DELAY = 60.0
"""Seconds by which a fetch may be late before the service is not ready."""


@dataclass(slots=True)
class Controller:
    """Everything that runs; *stop* ends each run after the operations that it has begun.

    At the end of a drain the controller sets *ended*, and calls *wake*. Once all work has ended,
    *release* closes providers and connections.
    """

    workspace_controllers: Mapping[str, WorkspaceController]
    worker_pool: WorkerPool
    schedule: Schedule
    stop: Cancellation
    ended: threading.Event = field(default_factory=threading.Event)
    wake: Callable[[], None] = lambda: None
    is_draining: bool = False
    release: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Start every thread; return at once."""
        controllers = self.workspace_controllers
        self.worker_pool.start(lambda work: controllers[work.key.workspace].work(work))
        self.schedule.start()
        for controller in controllers.values():
            controller.start()

    def close(self, seconds: float) -> bool:
        """Stop; tell whether all work in progress ended within *seconds*."""
        self.stop.request()
        self.schedule.close()
        self.worker_pool.close()
        is_done = self.worker_pool.join_all(seconds)
        for controller in self.workspace_controllers.values():
            controller.close()
        if is_done:
            self.release()
        return is_done

    def drain(self) -> None:
        """Begin nothing new, let the runs in progress end, and end then."""
        self.is_draining = True
        self.worker_pool.close()
        threading.Thread(target=self._await_drained, name="drain", daemon=True).start()

    def _await_drained(self) -> None:
        while not self.worker_pool.join(HEARTBEAT_TIMEOUT):
            pass
        self.ended.set()
        self.wake()

    def reload(self) -> None:
        """Read the settings of every workspace again."""
        for controller in self.workspace_controllers.values():
            controller.reload()

    def reconcile(self, key: Key) -> None:
        """Fetch the workspace now, and reconcile the infra *key* before others."""
        self.workspace_controllers[key.workspace].request_reconcile(key.name)

    def check_begins(self, key: Key) -> None:
        """Make sure that a cycle of *key* would begin.

        Raises:
            InvalidArgument: If it is paused, or the service drains.
        """
        with self.worker_pool.open_queue() as queue:
            is_paused = queue.is_paused or key in queue.paused
        if is_paused:
            raise InvalidArgument(
                f"{key} is paused", hint="`provisioning serve resume` ends the pause"
            )
        if self.is_draining:
            raise InvalidArgument(
                f"{key} is not reconciled: the service drains", hint="wait for the next start"
            )

    def find_key(self, name: str) -> Key:
        """Return the key of the infra *name*, `workspace/infra` or, if it is unique, `infra`.

        Raises:
            InvalidArgument: If there is none, or more than one.
        """
        workspace, slash, infra = name.rpartition("/")
        states = [controller.state for controller in self.workspace_controllers.values()]
        found = [
            state.get_key(infra)
            for state in states
            if infra in state.infras and (not slash or state.name == workspace)
        ]
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(str(key) for key in found)
            raise InvalidArgument(
                f"several workspaces have an infra {infra!r}", hint=f"write one of {names}"
            )
        raise InvalidArgument(
            f"the service has no infra {name!r}",
            hint="`provisioning serve status` lists its infras",
        )

    @property
    def is_alive(self) -> bool:
        """Whether the supervisor of the workers is alive."""
        return self.worker_pool.now() - self.worker_pool.beat_at < HEARTBEAT_TIMEOUT

    @property
    def has_started(self) -> bool:
        """Whether every workspace was fetched, or tried, since the start or the last reload."""
        return all(controller.has_fetched for controller in self.workspace_controllers.values())

    def list_problems(self) -> list[str]:
        """Return why the service is not ready, a sentence each; none if it is."""
        problems = ["the service drains"] if self.is_draining else []
        for controller in self.workspace_controllers.values():
            state = controller.state
            if state.error is not None:
                problems.append(f"{state.name}: {state.error}")
            elif state.read_at is None:
                problems.append(f"{state.name} is being read for the first time")
            elif (late := self.worker_pool.now() - state.due) > MAX_DELAY:
                problems.append(f"{state.name} should have been read {late:.0f} s ago")
            if state.settings_error is not None:
                problems.append(f"{state.name}: its settings are broken: {state.settings_error}")
        hung = (f"{work.key}: its worker hangs" for work in self.worker_pool.list_hung())
        return [*problems, *hung]

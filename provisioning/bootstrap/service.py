"""Joins the long-running service with the workspaces that it keeps."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, count
from pathlib import Path

from provisioning.application.workspace.shared_state import SharedState
from provisioning.bootstrap.workspace import join_workspace
from provisioning.config.home import find_home
from provisioning.config.workspace import find_workspace
from provisioning.controller.controller import Controller
from provisioning.controller.events import EventSink, Exchanged
from provisioning.controller.schedule import Schedule
from provisioning.controller.served_workspace import Memory, ServedWorkspace
from provisioning.controller.worker_pool import WorkerPool
from provisioning.controller.workspace_controller import WorkspaceController
from provisioning.core.model.redaction import Redactor
from provisioning.core.scheduling.workqueue import Urgency
from provisioning.gitstore.repository.remote import Exchange
from provisioning.reconciler.execution.cancellation import Cancellation


def build_service(
    folders: Sequence[str], flags: Sequence[str], notify: EventSink, redactor: Redactor
) -> Controller:
    """Join a service that keeps the workspaces at *folders*.

    Raises:
        WorkspaceNotFound: If one of them is none.
        InvalidConfiguration: If the settings of the first one are broken.
    """
    roots = [find_workspace(Path(folder)) for folder in folders]
    stop = Cancellation()
    states = [_build_shared_state(notify, redactor) for _ in roots]
    openers = [_build_opener(root, flags, state) for root, state in zip(roots, states, strict=True)]
    first = openers[0]()
    settings = first.opened.settings
    timeout = float(settings.layers.get("serve.timeout").value)
    worker_pool = WorkerPool(size=settings.parallel_infras, timeout=timeout, notify=notify)
    schedule = Schedule(lambda key: worker_pool.add(key, Urgency.RESYNC, "resync"))
    names = _name_all(roots)
    workspace_controllers = {
        name: WorkspaceController(name, opener, worker_pool, schedule, notify, stop)
        for name, opener in zip(names, openers, strict=True)
    }
    return Controller(
        workspace_controllers=workspace_controllers,
        worker_pool=worker_pool,
        schedule=schedule,
        stop=stop,
        release=lambda: _close_all(states),
    )


def _close_all(states: Iterable[SharedState]) -> None:
    for state in states:
        state.close()


def _name_all(roots: Sequence[Path]) -> list[str]:
    """Return a name for each workspace: its folder's, and a number where two are alike."""
    names: list[str] = []
    for root in roots:
        choices = chain([root.name], (f"{root.name}-{number}" for number in count(2)))
        names.append(next(name for name in choices if name not in names))
    return names


def _build_shared_state(notify: EventSink, redactor: Redactor) -> SharedState:
    def listen(exchange: Exchange) -> None:
        notify(
            Exchanged(
                operation=exchange.command, seconds=exchange.seconds, is_done=exchange.is_done
            )
        )

    return SharedState(redactor, listener=listen)


def _build_opener(
    root: Path, flags: Sequence[str], shared: SharedState
) -> Callable[[], ServedWorkspace]:
    memory, home = Memory(), find_home(os.environ)

    def open_anew() -> ServedWorkspace:
        find_workspace(root)
        workspace = join_workspace(root, home, dict(os.environ), flags, shared)
        assert workspace.settings.identifier  # noqa: S101  it raises if there is none
        return ServedWorkspace(workspace, memory)

    return open_anew

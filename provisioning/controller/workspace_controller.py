"""The controller of one workspace: it fetches, and queues the work that follows from a commit.

Git is the truth; a webhook, a tick or a watch only makes the controller fetch or plan sooner.
"""

from __future__ import annotations

import random
import threading
import traceback
from collections.abc import Callable, Iterable

from provisioning.controller.commit_statuses import CommitStatuses
from provisioning.controller.events import (
    Defect,
    EventSink,
    Fetched,
    FetchFailed,
    ForgeCallFailed,
    SettingsRejected,
)
from provisioning.controller.schedule import Schedule
from provisioning.controller.served_workspace import ServedWorkspace
from provisioning.controller.watches import WatchRegistry
from provisioning.controller.work_handler import WorkHandler
from provisioning.controller.worker_pool import WorkerPool
from provisioning.controller.workspace_state import Revision, WorkspaceState
from provisioning.core.model.errors import InvalidConfiguration, ProvisioningError
from provisioning.core.model.ids import CommitId
from provisioning.core.scheduling.backoff import compute_backoff
from provisioning.core.scheduling.workqueue import Ending, Key, Topic, Urgency, Work
from provisioning.core.statelog.transitions import OURS
from provisioning.reconciler.execution.cancellation import Cancellation


class WorkspaceController:
    """Controls the workspace that *open_workspace* opens; *name* names it in keys and logs."""

    def __init__(
        self,
        name: str,
        open_workspace: Callable[[], ServedWorkspace],
        worker_pool: WorkerPool,
        schedule: Schedule,
        notify: EventSink,
        stop: Cancellation,
    ) -> None:
        self.state = WorkspaceState(name)
        self._open_workspace = open_workspace
        self._worker_pool = worker_pool
        self._schedule = schedule
        self._notify = notify
        self._stop = stop
        self._watches = WatchRegistry(self.state, worker_pool, notify)
        self._statuses = CommitStatuses(
            name,
            lambda: self._get_workspace().build_pulls(),
            self._redact,
            notify,
        )
        self._handler = WorkHandler(
            state=self.state,
            worker_pool=worker_pool,
            watches=self._watches,
            statuses=self._statuses,
            request_fetch=self.request_fetch,
            notify=notify,
            stop=stop,
        )
        self._wake = threading.Event()
        self._reopens = threading.Event()
        self._fetched = threading.Event()
        self._requested: set[str] = set()
        self._failures = 0
        self._thread = threading.Thread(target=self._poll, name="workspace", daemon=True)

    # Requests from other threads

    def start(self) -> None:
        """Start to fetch."""
        self._statuses.start()
        self._thread.start()

    def work(self, work: Work) -> Ending:
        """Do one piece of work; called from the worker threads."""
        return self._handler.work(work)

    def request_fetch(self) -> None:
        """Fetch now."""
        self._wake.set()

    def handle_push(self, branch: str) -> bool:
        """Fetch after a push to *branch*, if it concerns the workspace; tell whether it does."""
        revision = self.state.revision
        if revision is not None and branch == revision.workspace.opened.settings.branch:
            self.request_fetch()
            return True
        infra = f"refs/heads/{branch}".removeprefix(OURS)
        if self.state.is_locked(infra):
            self.request_reconcile(infra)
            return True
        return False

    def request_reconcile(self, infra: str) -> None:
        """Fetch now, and then reconcile *infra* before others."""
        self._requested.add(infra)
        self.request_fetch()

    def request_review(self, number: int, reason: str = "webhook") -> None:
        """Queue a review of the pull request *number*."""
        key = Key(self.state.name, Topic.PULL, str(number))
        self._worker_pool.add(key, Urgency.REVIEW, reason)

    def reload(self) -> None:
        """Read the settings again, and fetch."""
        self._fetched.clear()
        self._reopens.set()
        self._wake.set()

    def close(self) -> None:
        """Close the watches, and flush the commit statuses."""
        self._wake.set()
        self._watches.close()
        self._statuses.close()

    @property
    def has_fetched(self) -> bool:
        """Whether a fetch ended, well or not, since the start or the last reload."""
        return self._fetched.is_set()

    def read_hook_secret(self) -> str:
        """Return the secret that signs the webhooks of this workspace.

        Raises:
            InvalidConfiguration: If there is none yet.
        """
        return self._get_workspace().opened.forge.build_token_file("webhook_secret_file").read()

    def _redact(self, text: str) -> str:
        return self._get_workspace().opened.redactor.redact(text)

    def _get_workspace(self) -> ServedWorkspace:
        if self.state.revision is None:
            raise InvalidConfiguration(
                f"{self.state.name} has not been read yet", hint="try again soon"
            )
        return self.state.revision.workspace

    # Fetching

    def _poll(self) -> None:
        while not self._stop.is_requested:
            reopens = self._reopens.is_set()
            pause = self._try_fetch(reopens=reopens)
            while self._requested:
                key = self.state.get_key(self._requested.pop())
                self._worker_pool.add(key, Urgency.PUSH, "requested")
            if reopens or not self._reopens.is_set():
                self._fetched.set()
            self._wake.wait(pause)
            self._wake.clear()

    def _try_fetch(self, *, reopens: bool) -> float:
        """Fetch once; return the seconds until the next fetch."""
        if reopens:
            self._reopens.clear()
        try:
            pause = self._fetch(reopens=reopens)
        except Exception as exc:  # noqa: BLE001  a defect must not end the thread
            if reopens:
                self._reopens.set()
            self._failures += 1
            pause = compute_backoff(self._failures, random.random())  # noqa: S311
            self._report_failure(exc, pause)
            return pause
        self._failures = 0
        self.state.error, self.state.read_at = None, self._worker_pool.now()
        self.state.due = self.state.read_at + pause
        return pause

    def _fetch(self, *, reopens: bool) -> float:
        began = self._worker_pool.now()
        revision = self.state.revision
        workspace = self._reopen() if revision is None or reopens else revision.workspace
        commit = workspace.commits.fetch()
        if revision is None or revision.workspace is not workspace:
            self._switch(workspace, commit, began)
        elif revision.commit != commit:  # opened again, so that nothing grows with the commits
            self._switch(self._reopen(), commit, began)
        self._queue_reviews(workspace)
        return workspace.commits.poll_interval

    def _report_failure(self, exc: Exception, pause: float) -> None:
        if isinstance(exc, ProvisioningError):
            self.state.error = exc
            self._notify(FetchFailed(workspace=self.state.name, error=exc, retry=pause))
        else:
            self.state.error = ProvisioningError(f"a defect of provisioning: {exc!r}")
            self._notify(Defect(trace="".join(traceback.format_exception(exc))))

    def _reopen(self) -> ServedWorkspace:
        """Open the workspace; where its settings are broken, keep the last valid ones."""
        try:
            workspace = self._open_workspace()
        except ProvisioningError as exc:
            if self.state.revision is None:
                raise
            self._reject_settings(exc)
            return self.state.revision.workspace
        self.state.settings_error = None
        return workspace

    def _reject_settings(self, error: ProvisioningError) -> None:
        self.state.settings_error = error
        self._notify(SettingsRejected(workspace=self.state.name, error=error))

    # A new commit, or new settings

    def _switch(self, workspace: ServedWorkspace, commit: CommitId, began: float) -> None:
        """Switch to a new revision entirely or, if that fails, not at all."""
        before = self.state.revision
        is_new = before is None or before.commit != commit
        infras = workspace.opened.choose_infras(commit, None)
        touched = workspace.find_touched(before.commit if before else None, commit)
        direct = [infra for infra in infras if infra in touched.infras]
        queues_all = touched.is_shared or before is None or not is_new
        rest = [infra for infra in infras if queues_all and infra not in touched.infras]
        self.state.revision = Revision(workspace, commit, frozenset(infras))
        try:
            self._set_up(workspace, commit, infras, before.infras if before else ())
            if is_new and workspace.is_at_forge:
                self._statuses.follow(commit, direct)
            urgency = Urgency.PUSH if before and is_new else Urgency.RESYNC
            reason = f"commit {commit[:10]}" if is_new else "settings"
            keys = [self.state.get_key(infra) for infra in (*direct, *rest)]
            self._worker_pool.add_all(keys, urgency, reason)
        except BaseException:
            self.state.revision = before
            raise
        self._notify(
            Fetched(
                workspace=self.state.name,
                commit=commit,
                seconds=self._worker_pool.now() - began,
                is_new=is_new,
                infras=len(infras),
                touched=len(direct) + len(rest),
            )
        )

    def _set_up(
        self, workspace: ServedWorkspace, commit: CommitId, infras: list[str], before: Iterable[str]
    ) -> None:
        gone = set(before).difference(infras)
        try:
            needs = workspace.read_needs(commit, infras)
        except ProvisioningError:  # a cycle: the run of each infra reports it
            needs = {}
        keys = {
            self.state.get_key(infra): [self.state.get_key(other) for other in others]
            for infra, others in needs.items()
            if others
        }
        with self._worker_pool.open_queue() as queue:
            queue.set_needs(self.state.name, keys)
            queue.forget([self.state.get_key(infra) for infra in gone])
        for infra in gone:
            self.state.last_cycles.pop(infra, None)
            self._watches.forget(infra)
        try:
            self._schedule.plan(self.state.name, workspace.read_drift_schedules(commit, infras))
        except ProvisioningError as exc:
            self._reject_settings(exc)

    def _queue_reviews(self, workspace: ServedWorkspace) -> None:
        if not workspace.is_at_forge:
            return
        try:
            pulls = workspace.find_reviews()
        except ProvisioningError as exc:
            self._notify(ForgeCallFailed(workspace=self.state.name, error=exc))
            return
        for number in pulls:
            self.request_review(number, "pull request changed")

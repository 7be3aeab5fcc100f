"""Keeps one workspace equal to Git: looks for news, and asks for the work that follows from them.

Git is the truth; a webhook, a tick or a watch is only a hint to look sooner.
"""

from __future__ import annotations

import random
import threading
import traceback
from collections.abc import Callable, Iterable

from provisioning.controller.commit_statuses import CommitStatuses
from provisioning.controller.events import (
    ConfigurationKept,
    Defect,
    EventSink,
    Fetched,
    FetchFailed,
    ForgeUntold,
)
from provisioning.controller.schedule import Schedule
from provisioning.controller.watches import WatchRegistry
from provisioning.controller.work_handler import WorkHandler
from provisioning.controller.worker_pool import WorkerPool
from provisioning.controller.workspace_state import CommitProgress, OpenWorkspace, WorkspaceState
from provisioning.core.model.errors import InvalidConfiguration, ProvisioningError
from provisioning.core.model.ids import CommitId
from provisioning.core.reviews.forge import Forge
from provisioning.core.scheduling.backoff import compute_backoff
from provisioning.core.scheduling.workqueue import Ending, Key, Topic, Urgency, Work
from provisioning.core.statelog.transitions import OURS
from provisioning.reconciler.execution.cancellation import Cancellation


class WorkspaceController:
    """Keeps the workspace that *open_workspace* opens; *name* is what people call it."""

    def __init__(
        self,
        name: str,
        open_workspace: Callable[[], OpenWorkspace],
        worker_pool: WorkerPool,
        schedule: Schedule,
        tell: EventSink,
        stop: Cancellation,
    ) -> None:
        self.kept = WorkspaceState(name)
        self._open_workspace = open_workspace
        self._crew = worker_pool
        self._schedule = schedule
        self._tell = tell
        self._stop = stop
        self._watching = WatchRegistry(self.kept, worker_pool, tell)
        self._statuses = CommitStatuses(name, self._open_forge, self._redact, tell)
        self._cycles = WorkHandler(
            kept=self.kept,
            worker_pool=worker_pool,
            watching=self._watching,
            statuses=self._statuses,
            hint=self.hint,
            tell=tell,
            stop=stop,
        )
        self._hint = threading.Event()
        self._reopens = threading.Event()
        self._looked = threading.Event()
        self._asked: set[str] = set()
        self._failures = 0
        self._thread = threading.Thread(target=self._look_for_ever, name="keeper", daemon=True)

    # From outside

    def start(self) -> None:
        """Begin to look for news."""
        self._statuses.start()
        self._thread.start()

    def work(self, work: Work) -> Ending:
        """Do one piece of work; called from the crew's threads."""
        return self._cycles.work(work)

    def hint(self) -> None:
        """Look for news now."""
        self._hint.set()

    def hear(self, branch: str) -> bool:
        """Take in that somebody pushed to *branch*; tell whether that is worth a look."""
        towards = self.kept.towards
        if towards is not None and branch == towards.workspace.branch:
            self.hint()
            return True
        infra = f"refs/heads/{branch}".removeprefix(OURS)
        if self.kept.is_locked(infra):
            self.ask(infra)
            return True
        return False

    def ask(self, infra: str) -> None:
        """Look for news now, and then at *infra*, before others."""
        self._asked.add(infra)
        self.hint()

    def review(self, number: int) -> None:
        """Ask for a review of the pull request *number*."""
        self._crew.add(Key(self.kept.name, Topic.PULL, str(number)), Urgency.REVIEW, "webhook")

    def reload(self) -> None:
        """Read the settings again, and look for news."""
        self._looked.clear()
        self._reopens.set()
        self._hint.set()

    def close(self) -> None:
        """Watch nothing any more, and tell the forge what is left to be told."""
        self._hint.set()
        self._watching.close()
        self._statuses.close()

    @property
    def has_looked(self) -> bool:
        """Whether it has looked since it began, or was told to reload; however that went."""
        return self._looked.is_set()

    def read_hook_secret(self) -> str:
        """Return the secret by which this workspace's webhooks are signed.

        Raises:
            InvalidConfiguration: If there is none yet.
        """
        return self._get_workspace().read_hook_secret()

    def _get_workspace(self) -> OpenWorkspace:
        if self.kept.towards is None:
            raise InvalidConfiguration(
                f"{self.kept.name} has not been read yet", hint="try again soon"
            )
        return self.kept.towards.workspace

    def _open_forge(self) -> Forge:
        return self._get_workspace().build_pulls()

    def _redact(self, text: str) -> str:
        return self._get_workspace().redact(text)

    # Looking for news

    def _look_for_ever(self) -> None:
        while not self._stop.is_requested:
            reopens = self._reopens.is_set()
            pause = self._look(reopens=reopens)
            self._add_asked()
            if reopens or not self._reopens.is_set():
                self._looked.set()
            self._hint.wait(pause)
            self._hint.clear()

    def _look(self, *, reopens: bool) -> float:
        """Look once; return the seconds after which to look again."""
        if reopens:
            self._reopens.clear()
        try:
            pause = self._look_for_news(reopens=reopens)
        except Exception as exc:  # noqa: BLE001  a defect must not end the looking for ever
            if reopens:
                self._reopens.set()
            self._failures += 1
            pause = compute_backoff(self._failures, random.random())  # noqa: S311
            self._tell_failure(exc, pause)
            return pause
        self._failures = 0
        self.kept.error, self.kept.read_at = None, self._crew.now()
        self.kept.due = self.kept.read_at + pause
        return pause

    def _look_for_news(self, *, reopens: bool) -> float:
        began = self._crew.now()
        towards = self.kept.towards
        workspace = self._open_anew() if towards is None or reopens else towards.workspace
        commit = workspace.read_commit()
        if towards is None or towards.workspace is not workspace:
            self._take_in(workspace, commit, began)
        elif towards.commit != commit:  # opened anew, so that nothing grows with the commits
            self._take_in(self._open_anew(), commit, began)
        self._ask_for_reviews(workspace)
        return workspace.poll_interval

    def _tell_failure(self, exc: Exception, pause: float) -> None:
        if isinstance(exc, ProvisioningError):
            self.kept.error = exc
            self._tell(FetchFailed(workspace=self.kept.name, error=exc, retry=pause))
        else:
            self.kept.error = ProvisioningError(f"a defect of provisioning: {exc!r}")
            trace = "".join(traceback.format_exception(exc))
            self._tell(Defect(key=None, trace=trace))

    def _open_anew(self) -> OpenWorkspace:
        """Open the workspace; where its settings are broken, keep the last good ones."""
        try:
            workspace = self._open_workspace()
        except ProvisioningError as exc:
            if self.kept.towards is None:
                raise
            self._keep_settings(exc)
            return self.kept.towards.workspace
        self.kept.settings_error = None
        return workspace

    def _keep_settings(self, error: ProvisioningError) -> None:
        self.kept.settings_error = error
        self._tell(ConfigurationKept(workspace=self.kept.name, error=error))

    # Taking a commit in

    def _take_in(self, workspace: OpenWorkspace, commit: CommitId, began: float) -> None:
        """Work towards *commit* from now on: entirely, or, if that fails, not at all."""
        before = self.kept.towards
        is_new = before is None or before.commit != commit
        infras = workspace.choose_infras(commit, None)
        touched = workspace.find_touched(before.commit if before else None, commit)
        direct = [infra for infra in infras if infra in touched.infras]
        asks_all = touched.is_shared or before is None or not is_new
        rest = [infra for infra in infras if asks_all and infra not in touched.infras]
        self.kept.towards = CommitProgress(workspace, commit, frozenset(infras))
        try:
            self._set_up(workspace, commit, infras, before.infras if before else ())
            if is_new and workspace.is_at_forge:
                self._statuses.follow(commit, direct)
            urgency = Urgency.PUSH if before and is_new else Urgency.RESYNC
            reason = f"commit {commit[:10]}" if is_new else "settings"
            keys = [self.kept.get_key(infra) for infra in (*direct, *rest)]
            self._crew.add_all(keys, urgency, reason)
        except BaseException:
            self.kept.towards = before
            raise
        self._tell(
            Fetched(
                workspace=self.kept.name,
                commit=commit,
                seconds=self._crew.now() - began,
                is_new=is_new,
                infras=len(infras),
                touched=len(direct) + len(rest),
            )
        )

    def _set_up(
        self,
        workspace: OpenWorkspace,
        commit: CommitId,
        infras: list[str],
        before: Iterable[str],
    ) -> None:
        gone = set(before).difference(infras)
        try:
            needs = workspace.read_needs(commit, infras)
        except ProvisioningError:  # a ring: each infra's own cycle goes on as it can
            needs = {}
        keys = {
            self.kept.get_key(infra): [self.kept.get_key(other) for other in others]
            for infra, others in needs.items()
            if others
        }
        with self._crew.open_queue() as queue:
            queue.set_needs(self.kept.name, keys)
            queue.forget([self.kept.get_key(item) for item in gone])
        for item in gone:
            self.kept.last.pop(item, None)
            self._watching.forget(item)
        try:
            self._schedule.plan(self.kept.name, workspace.read_rhythms(commit, infras))
        except ProvisioningError as exc:
            self._keep_settings(exc)

    def _add_asked(self) -> None:
        """Ask for what somebody wanted to be looked at once there was a look for news."""
        while self._asked:
            infra = self._asked.pop()
            self._crew.add(self.kept.get_key(infra), Urgency.PUSH, "asked for")

    def _ask_for_reviews(self, workspace: OpenWorkspace) -> None:
        if not workspace.is_at_forge:
            return
        try:
            pulls = workspace.find_reviews()
        except ProvisioningError as exc:
            self._tell(ForgeUntold(workspace=self.kept.name, error=exc))
            return
        for number in pulls:
            key = Key(self.kept.name, Topic.PULL, str(number))
            self._crew.add(key, Urgency.REVIEW, "pull request changed")

"""Keeps one workspace equal to Git: looks for news, asks for work, and does it.

Git is the truth; a webhook, a tick or a watch is only a hint to look sooner. Nothing is kept
but what is read again at any time.
"""

from __future__ import annotations

import random
import threading
import traceback
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from provisioning.core.backoff import Healings, compute_backoff, compute_retry
from provisioning.core.errors import InvalidConfiguration, ProvisioningError
from provisioning.core.gates import REWOUND
from provisioning.core.ids import CommitId
from provisioning.core.providers import Target, Watch, Watches
from provisioning.core.statelog import LogView
from provisioning.core.sweeps import Needs
from provisioning.core.work import Ending, Key, Topic, Urgency, Work
from provisioning.reconciler.cycle import Reconciler
from provisioning.reconciler.events import Event, Listener
from provisioning.reconciler.prospects import Conclusion, Report, Request
from provisioning.reconciler.serving.crew import Crew
from provisioning.reconciler.serving.news import (
    ConfigurationKept,
    CycleBegun,
    CycleEnded,
    CycleTold,
    Defect,
    Fetched,
    FetchFailed,
    ForgeUntold,
    Reviewed,
    Tell,
    describe_cycle,
)
from provisioning.reconciler.serving.schedule import Rhythm, Schedule
from provisioning.reconciler.serving.statuses import Statuses
from provisioning.reconciler.stopping import Stop
from provisioning.reconciler.sweeping import GOOD

if TYPE_CHECKING:
    from provisioning.reconciler.reviews.reviewer import Reviewer


@dataclass(frozen=True, slots=True)
class Touched:
    """The infras whose folders changed, and whether something changed that any may read."""

    infras: frozenset[str]
    is_shared: bool


class KeptWorkspace(Protocol):
    """A workspace as it was opened once; its settings never change."""

    @property
    def identifier(self) -> str:
        """Its id."""

    @property
    def branch(self) -> str:
        """The branch that desired state is read from."""

    @property
    def poll_interval(self) -> float:
        """Seconds between two looks for news."""

    def read_commit(self) -> CommitId:
        """Fetch, and return the newest desired state."""

    def choose_infras(self, commit: CommitId, infra: str | None) -> list[str]:
        """Return the infras to work on: *infra*, or all."""

    def find_touched(self, old: CommitId | None, new: CommitId) -> Touched:
        """Return what differs between two commits; without *old*, from the first parent."""

    def read_needs(self, commit: CommitId, infras: Collection[str]) -> Needs:
        """Return which of *infras* refer to which."""

    def read_rhythms(self, commit: CommitId, infras: Iterable[str]) -> dict[str, Rhythm]:
        """Return how often each of *infras* is looked at."""

    def build_reconciler(
        self, infra: str, commit: CommitId, *, stop: Stop | None, listener: Listener | None
    ) -> Reconciler:
        """Join the reconciler of *infra* with the settings of *commit*."""

    def find_reviews(self) -> list[int]:
        """Return the pull requests that are not as they were when this was asked last."""

    def build_reviewer(self) -> Reviewer:
        """Join what reviews pull requests; there must be a forge."""

    def tell_drift(self, report: Report) -> None:
        """Tell the forge, if there is one, of what drifted and waits for an answer there."""

    def build_statuses(self, name: str, tell: Tell) -> Statuses | None:
        """Join what tells the forge of commits; None where there is no forge."""

    def read_hook_secret(self) -> str:
        """Return the secret by which webhooks are signed."""


@dataclass(slots=True)
class _State:
    """What a keeper knows of the workspace; all of it is read again."""

    workspace: KeptWorkspace
    commit: CommitId
    infras: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Last:
    """What became of an infra last: when, how, and when all was well.

    Times are of the crew's clock, in seconds; `due` is when it is tried again, if it is.
    """

    at: float
    commit: CommitId
    result: str
    sentence: str
    due: float | None
    good_at: float | None


@dataclass(slots=True)
class Health:
    """How a workspace is: when it was last read well, and what is wrong, if anything is.

    `due` is when it is to be read next. Times are of the crew's clock, in seconds.
    """

    read_at: float | None = None
    due: float = 0.0
    error: ProvisioningError | None = None
    settings_error: ProvisioningError | None = None
    infras: dict[str, Last] = field(default_factory=dict)


class Keeper:
    """Keeps one workspace; see the module. *name* is what its keys, logs and metrics call it."""

    def __init__(
        self,
        name: str,
        open_workspace: Callable[[], KeptWorkspace],
        crew: Crew,
        schedule: Schedule,
        tell: Tell,
        stop: Stop,
    ) -> None:
        self.name = name
        self.health = Health()
        self._open_workspace = open_workspace
        self._crew = crew
        self._schedule = schedule
        self._tell = tell
        self._stop = stop
        self._state: _State | None = None
        self._statuses: Statuses | None = None
        self._watches: dict[Watches, Watch] = {}
        self._followed: dict[str, str] = {}
        self._healings: dict[str, Healings] = {}
        self._watching = threading.Lock()
        self._hint = threading.Event()
        self._reopens = threading.Event()
        self._looked = threading.Event()
        self._failures = 0
        self._thread = threading.Thread(target=self._look_for_ever, name="keeper", daemon=True)

    # From outside

    def start(self) -> None:
        """Begin to look for news."""
        self._thread.start()

    def hint(self) -> None:
        """Look for news now."""
        self._hint.set()

    def reload(self) -> None:
        """Read the settings again, and look for news."""
        self._reopens.set()
        self._looked.clear()
        self._hint.set()

    def close(self) -> None:
        """Watch nothing any more, and tell the forge what is left to be told."""
        self._hint.set()
        for watch in self._watches.values():
            watch.close()
        if self._statuses:
            self._statuses.close()

    @property
    def commit(self) -> CommitId | None:
        """The desired state that is worked towards."""
        return self._state.commit if self._state else None

    @property
    def branch(self) -> str | None:
        """The branch that desired state is read from."""
        return self._state.workspace.branch if self._state else None

    @property
    def infras(self) -> list[str]:
        """The infras that are kept."""
        return list(self._state.infras) if self._state else []

    def read_hook_secret(self) -> str:
        """Return the secret by which this workspace's webhooks are signed.

        Raises:
            InvalidConfiguration: If there is none yet.
        """
        if self._state is None:
            raise InvalidConfiguration(f"{self.name} has not been read yet", hint="try again soon")
        return self._state.workspace.read_hook_secret()

    @property
    def has_looked(self) -> bool:
        """Whether it has looked since it began, or was told to reload; however that went."""
        return self._looked.is_set()

    def get_key(self, infra: str) -> Key:
        """Return the key of *infra*."""
        return Key(self.name, Topic.INFRA, infra)

    def review(self, number: int) -> None:
        """Ask for a review of the pull request *number*."""
        self._crew.add(Key(self.name, Topic.PULL, str(number)), Urgency.REVIEW, "webhook")

    # Looking for news

    def _look_for_ever(self) -> None:
        while not self._stop.is_requested:
            pause = self._look_for_news()
            if not self._reopens.is_set():
                self._looked.set()
            self._hint.wait(pause)
            self._hint.clear()

    def _count_failure(self) -> float:
        """Return the seconds after which to look again."""
        self._failures += 1
        return compute_backoff(self._failures, random.random())  # noqa: S311

    def _look_for_news(self) -> float:
        """Look once; return the seconds after which to look again."""
        began = self._crew.now()
        try:
            workspace = self._open()
            commit = workspace.read_commit()
            self._take_in(workspace, commit, began)
            self._ask_for_reviews()
        except Exception as exc:  # noqa: BLE001  a defect must not end the looking for ever
            pause = self._count_failure()
            self._tell_failure(exc, pause)
            return pause
        self._failures = 0
        self.health.error, self.health.read_at = None, self._crew.now()
        self.health.due = self.health.read_at + workspace.poll_interval
        return workspace.poll_interval

    def _tell_failure(self, exc: Exception, pause: float) -> None:
        if isinstance(exc, ProvisioningError):
            self.health.error = exc
            self._tell(FetchFailed(workspace=self.name, error=exc, retry=pause))
        else:
            self.health.error = ProvisioningError(f"a defect of provisioning: {exc!r}")
            trace = "".join(traceback.format_exception(exc))
            self._tell(Defect(key=None, trace=trace))

    def _open(self) -> KeptWorkspace:
        """Return the workspace, opened anew if that was asked for."""
        if self._state is not None and not self._reopens.is_set():
            return self._state.workspace
        self._reopens.clear()
        return self._open_anew()

    def _open_anew(self) -> KeptWorkspace:
        """Open the workspace; where its settings are broken, keep the last good ones."""
        try:
            workspace = self._open_workspace()
        except ProvisioningError as exc:
            if self._state is None:
                raise
            self._keep_settings(exc)
            return self._state.workspace
        self.health.settings_error = None
        return workspace

    def _keep_settings(self, error: ProvisioningError) -> None:
        self.health.settings_error = error
        self._tell(ConfigurationKept(workspace=self.name, error=error))

    def _take_in(self, workspace: KeptWorkspace, commit: CommitId, began: float) -> None:
        """Work towards *commit* from now on; nothing happens if that is so already."""
        before = self._state
        is_new = before is None or before.commit != commit
        if before is not None and before.workspace is workspace:
            if not is_new:
                return
            workspace = self._open_anew()  # so that nothing grows with the commits
        infras = workspace.choose_infras(commit, None)
        touched = workspace.find_touched(before.commit if before else None, commit)
        direct = [each for each in infras if each in touched.infras]
        asks_all = touched.is_shared or before is None or not is_new
        self._state = _State(workspace, commit, infras)
        self._set_up(workspace, commit, infras, before.infras if before else [])
        self._tell(
            Fetched(
                workspace=self.name,
                commit=commit,
                seconds=self._crew.now() - began,
                is_new=is_new,
                infras=len(infras),
                touched=len(infras if asks_all else direct),
            )
        )
        if is_new:
            self._follow_statuses(workspace, commit, direct)
        urgency = Urgency.PUSH if before and is_new else Urgency.SWEEP
        reason = f"commit {commit[:10]}" if is_new else "settings"
        for infra in [*direct, *(each for each in infras if asks_all and each not in direct)]:
            self._crew.add(self.get_key(infra), urgency, reason)

    def _set_up(
        self, workspace: KeptWorkspace, commit: CommitId, infras: list[str], before: list[str]
    ) -> None:
        gone = set(before).difference(infras)
        try:
            needs = workspace.read_needs(commit, infras)
        except ProvisioningError:  # a ring: each infra's own cycle goes on as it can
            needs = {}
        keys = {
            self.get_key(infra): [self.get_key(each) for each in others]
            for infra, others in needs.items()
            if others
        }
        with self._crew.open_queue() as queue:
            queue.set_needs(self.name, keys)
            queue.forget([self.get_key(each) for each in gone])
        for each in gone:
            self.health.infras.pop(each, None)
            self._healings.pop(each, None)
            self._followed.pop(each, None)
        try:
            self._schedule.plan(self.name, workspace.read_rhythms(commit, infras))
        except ProvisioningError as exc:
            self._keep_settings(exc)

    def _follow_statuses(
        self, workspace: KeptWorkspace, commit: CommitId, infras: list[str]
    ) -> None:
        if self._statuses is None:
            self._statuses = workspace.build_statuses(self.name, self._tell)
        if self._statuses is not None:
            self._statuses.follow(commit, infras)

    def _ask_for_reviews(self) -> None:
        assert self._state is not None  # noqa: S101  it was just read
        for number in self._state.workspace.find_reviews():
            key = Key(self.name, Topic.PULL, str(number))
            self._crew.add(key, Urgency.REVIEW, "pull request changed")

    # Working

    def work(self, work: Work) -> Ending:
        """Do one piece of work; called from the crew's threads."""
        if work.key.topic is Topic.INFRA:
            return self._run_cycle(work)
        return self._review(work)

    def _run_cycle(self, work: Work) -> Ending:
        state, infra = self._state, work.key.name
        if state is None or infra not in state.infras:
            return Ending(is_good=True)
        began = self._crew.now()
        self._tell(CycleBegun(work=work, commit=state.commit, waited=began - work.ready_since))
        report, error, looked = None, None, 0.0
        try:
            reconciler = state.workspace.build_reconciler(
                infra, state.commit, stop=self._stop, listener=self._listen(work.key)
            )
            request = Request(commit=state.commit, reason=work.reason)
            view = reconciler.log.read_local()
            self._watch(state.workspace, reconciler, view)
            prospect = reconciler.look(request, view)
            looked = self._crew.now() - began
            self._crew.sign(work.key)
            report = reconciler.reconcile(request, prospect)
            if report.run is not None:
                self._watch_anew(state.workspace, reconciler)
        except ProvisioningError as exc:
            error = exc
        retry = self._compute_retry(work, report, error)
        now = self._crew.now()
        ended = CycleEnded(
            work=work,
            commit=state.commit,
            looked=looked,
            seconds=now - began,
            since_asked=now - work.since,
            retry=retry,
            report=report,
            error=error,
        )
        is_good = report is not None and report.conclusion in GOOD
        self._note(ended, now, is_good=is_good)
        self._tell(ended)
        self._follow_up(state.workspace, ended)
        return Ending(is_good=is_good, retry=retry)

    def _note(self, ended: CycleEnded, now: float, *, is_good: bool) -> None:
        before = self.health.infras.get(ended.work.key.name)
        self.health.infras[ended.work.key.name] = Last(
            at=now,
            commit=ended.commit,
            result=ended.result,
            sentence=describe_cycle(ended),
            due=None if ended.retry is None else now + ended.retry,
            good_at=now if is_good else before.good_at if before else None,
        )

    def _listen(self, key: Key) -> Callable[[Event], None]:
        def listen(event: Event) -> None:
            self._crew.sign(key)
            self._tell(CycleTold(key=key, event=event))

        return listen

    def _compute_retry(
        self, work: Work, report: Report | None, error: ProvisioningError | None
    ) -> float | None:
        jitter = random.random()  # noqa: S311
        if error is not None:
            return compute_retry(error, work.failures + 1, jitter)
        match report.conclusion if report else None:
            case Conclusion.INTERRUPTED if self._stop.is_requested:
                return None
            case Conclusion.INTERRUPTED | Conclusion.FAILED:
                self.hint()  # a newer commit may have come
                return compute_backoff(work.failures + 1, jitter)
            case Conclusion.BLOCKED if report and report.prospect.plan.blocked:
                return compute_backoff(work.failures + 1, jitter)
        return None

    def _follow_up(self, workspace: KeptWorkspace, ended: CycleEnded) -> None:
        """Ask for what follows from a cycle: those that read its outputs, and what people see."""
        if self._statuses is not None:
            self._statuses.show(ended)
        report = ended.report
        if report is None:
            return
        if any(each.code == REWOUND for each in report.prospect.verdicts):
            self.hint()  # another service may have applied what we have not heard of yet
        if report.run is not None:
            self._count_healing(ended.work)
            with self._crew.open_queue() as queue:
                users = queue.list_users(ended.work.key)
            for each in users:
                self._crew.add(each, Urgency.PUSH, f"{ended.work.key.name} was applied")
        if self._statuses is not None:
            self._tell_drift(workspace, report)
            if report.run is not None or report.prospect.verdicts:
                key = Key(self.name, Topic.CLOSED, "")
                self._crew.add(key, Urgency.REVIEW, f"{ended.work.key.name} was applied")

    def _count_healing(self, work: Work) -> None:
        if work.urgency is Urgency.DRIFT:
            healings = self._healings.get(work.key.name, Healings())
            self._healings[work.key.name] = healings.spend(self._crew.now())

    def _tell_drift(self, workspace: KeptWorkspace, report: Report) -> None:
        try:
            workspace.tell_drift(report)
        except ProvisioningError as exc:
            self._tell(ForgeUntold(workspace=self.name, error=exc))

    def _review(self, work: Work) -> Ending:
        state, error, retry = self._state, None, None
        if state is None:
            return Ending(is_good=True)
        began = self._crew.now()
        try:
            reviewer = state.workspace.build_reviewer()
            if work.key.topic is Topic.PULL:
                reviewer.review(int(work.key.name))
            else:
                reviewer.review_closed()
        except ProvisioningError as exc:
            error = exc
            retry = compute_retry(exc, work.failures + 1, random.random())  # noqa: S311
        seconds = self._crew.now() - began
        self._tell(Reviewed(work=work, seconds=seconds, retry=retry, error=error))
        return Ending(is_good=error is None, retry=retry)

    # Watching

    def _watch_anew(self, workspace: KeptWorkspace, reconciler: Reconciler) -> None:
        """Follow what a run has made, and look once more at what may have changed before that."""
        self._watch(workspace, reconciler, reconciler.log.read_local())
        if self._watches:
            self._ask_for_healing(reconciler.infra, "watched from now on")

    def _watch(self, workspace: KeptWorkspace, reconciler: Reconciler, view: LogView) -> None:
        """Let the providers that can watch follow what is recorded, if that is not what it was."""
        records = reconciler.log.open_records(view)
        infra = reconciler.infra
        with self._watching:
            if self._followed.get(infra) == records.id:
                return
            self._followed[infra] = records.id
        every = records.read_all().values()
        owner = f"{workspace.identifier}/{infra}"
        for name, provider in reconciler.providers.items():
            if isinstance(provider, Watches):
                targets = [
                    Target(id=each.id, kind=each.kind, attributes=each.attributes)
                    for each in every
                    if each.provider == name
                ]
                self._open_watch(provider).follow(owner, targets)

    def _open_watch(self, provider: Watches) -> Watch:
        with self._watching:
            if provider not in self._watches:
                self._watches[provider] = provider.open_watch(self._notice)
            return self._watches[provider]

    def _notice(self, owner: str) -> None:
        self._ask_for_healing(owner.partition("/")[2], "something changed")

    def _ask_for_healing(self, infra: str, reason: str) -> None:
        """Ask for a look: at once, unless it was healed often of late."""
        due = self._healings.get(infra, Healings()).get_due(self._crew.now())
        self._crew.add(self.get_key(infra), Urgency.DRIFT, reason, due)

"""Tells a forge how each infra that a commit touched stands: one status an infra.

The last word of each commit and infra counts, and is told until the forge has taken it. What
is told is computed from what is true, so that a lost one is told again by the next cycle.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Collection
from typing import TypeAlias

import msgspec

from provisioning.controller.events import (
    CycleEnded,
    Defect,
    EventSink,
    ForgeUntold,
    describe_cycle,
)
from provisioning.core.model.errors import LockHeld, ProvisioningError
from provisioning.core.model.ids import CommitId
from provisioning.core.reviews.forge import CommitStatus, Forge, State
from provisioning.core.statelog.transitions import get_ref
from provisioning.reconciler.planning.plan_result import Conclusion

CONTEXT = "provisioning-run"
"""Statuses of runs are below it, as in `provisioning-run/web`; reviews have their own."""

AGAIN = 30.0
"""Seconds after which a forge that did not take a status is told again."""

LAST = 5.0
"""Seconds that the last words may take, when the service ends."""

LONGEST = 140
"""Characters of a status's description."""

REMEMBERED = 64
"""Commits whose statuses are remembered."""

_STATES = {
    Conclusion.UNCHANGED: State.SUCCESS,
    Conclusion.APPLIED: State.SUCCESS,
    Conclusion.FAILED: State.FAILURE,
    Conclusion.BLOCKED: State.PENDING,
    Conclusion.INTERRUPTED: State.PENDING,
}


def compute_state(ended: CycleEnded) -> State:
    """Return what the status says: pending is what a person or a later try can still bring."""
    if ended.report is not None:
        return _STATES[ended.report.conclusion]
    return State.PENDING if isinstance(ended.error, LockHeld) else State.FAILURE


class _Word(msgspec.Struct, frozen=True):
    """What is to be said of an infra."""

    state: State
    description: str


_Words: TypeAlias = dict[tuple[CommitId, str], _Word]


class CommitStatuses:
    """The statuses of one workspace's commits; one thread tells them."""

    def __init__(
        self,
        workspace: str,
        open_forge: Callable[[], Forge],
        redact: Callable[[str], str],
        tell: EventSink,
    ) -> None:
        self._workspace = workspace
        self._open_forge = open_forge
        self._redact = redact
        self._tell = tell
        self._touched: dict[CommitId, set[str]] = {}
        self._wanted: _Words = {}
        self._told: dict[CommitId, dict[str, CommitStatus]] = {}
        self._change = threading.Condition()
        self._is_closing = False
        self._thread = threading.Thread(target=self._work, name="statuses", daemon=True)

    def start(self) -> None:
        """Begin to tell."""
        self._thread.start()

    def follow(self, commit: CommitId, infras: Collection[str]) -> None:
        """Tell from now on how each of *infras*, which *commit* touched, stands there."""
        with self._change:
            self._touched[commit] = set(infras)
            for old in list(self._touched)[:-REMEMBERED]:
                del self._touched[old]

    def show(self, ended: CycleEnded) -> None:
        """Tell what came of a cycle: at its commit, and at those before it that still wait."""
        infra, state = ended.work.key.name, compute_state(ended)
        with self._change:
            for commit in self._list_waiting(infra, ended.commit):
                known = self._wanted.get((commit, infra))
                if known is None or known.state is not State.SUCCESS or state is not known.state:
                    said = self._redact(describe_cycle(ended))[:LONGEST]
                    self._wanted[commit, infra] = _Word(state, said)
            self._change.notify()

    def _list_waiting(self, infra: str, last: CommitId) -> list[CommitId]:
        """Return the commits up to *last* that touched *infra* and have no final word yet."""
        commits = list(self._touched)
        if last not in self._touched:
            return []
        known = commits[: commits.index(last) + 1]
        return [item for item in known if infra in self._touched[item]]

    def close(self) -> None:
        """Tell what is to be told, once, and no more."""
        with self._change:
            self._is_closing = True
            self._change.notify()
        if self._thread.is_alive():
            self._thread.join(LAST)

    def _work(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._is_closing or self._wanted)
                wanted, self._wanted = self._wanted, {}
                is_last = self._is_closing
            left = self._tell_all(wanted)
            if is_last:
                return
            with self._change:
                if left:
                    self._change.wait_for(lambda: self._is_closing, AGAIN)
                self._wanted = {**left, **self._wanted}

    def _tell_all(self, wanted: _Words) -> _Words:
        """Tell *wanted*; return what could not be told, and may be later."""
        left = dict(wanted)
        for (commit, infra), word in wanted.items():
            try:
                self._tell_one(commit, infra, word)
                if word.state is State.SUCCESS:
                    self._end(commit, infra)
            except ProvisioningError as exc:
                self._tell(ForgeUntold(workspace=self._workspace, error=exc))
                if exc.retryable:
                    break
                self._end(commit, infra)
            except Exception:  # noqa: BLE001  a defect must not silence it for ever
                self._tell(Defect(key=None, trace=traceback.format_exc()))
            del left[commit, infra]
        self._told = {item: entry for item, entry in self._told.items() if item in self._touched}
        return left

    def _end(self, commit: CommitId, infra: str) -> None:
        """Say no more of *infra* at *commit*: it has its final word, or can have none."""
        with self._change:
            self._touched.get(commit, set()).discard(infra)

    def _tell_one(self, commit: CommitId, infra: str, word: _Word) -> None:
        forge = self._open_forge()
        told = self._told.setdefault(commit, {})
        if not told:
            told.update(forge.list_statuses(commit))
        status = CommitStatus(
            context=f"{CONTEXT}/{infra}",
            state=word.state,
            description=word.description,
            url=forge.get_file_url(get_ref(infra).removeprefix("refs/heads/"), "run.json"),
        )
        there = told.get(status.context)
        is_told = there is not None and there.state is word.state is State.SUCCESS
        if there != status and not is_told:
            forge.set_status(commit, status)
            told[status.context] = status

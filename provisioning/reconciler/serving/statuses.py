"""Tells a forge how each infra that a commit touched stands: one status an infra.

The last word of each commit and infra counts, and is told until the forge has taken it. What
is told is computed from what is true, so that a lost one is told again by the next cycle.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TypeAlias

from provisioning.core.errors import LockHeld, ProvisioningError
from provisioning.core.forges import Forge, State, Status
from provisioning.core.ids import CommitId
from provisioning.core.statelog import get_ref
from provisioning.reconciler.prospects import Conclusion
from provisioning.reconciler.serving.news import (
    CycleEnded,
    Defect,
    ForgeUntold,
    Tell,
    describe_cycle,
)

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


@dataclass(frozen=True, slots=True)
class _Word:
    """What is to be said of an infra; `is_run` tells that something was done."""

    state: State
    description: str
    is_run: bool


_Words: TypeAlias = dict[tuple[CommitId, str], _Word]


class Statuses:
    """The statuses of one workspace's commits; one thread tells them."""

    def __init__(
        self,
        workspace: str,
        open_forge: Callable[[], Forge],
        redact: Callable[[str], str],
        tell: Tell,
    ) -> None:
        self._workspace = workspace
        self._open_forge = open_forge
        self._redact = redact
        self._tell = tell
        self._touched: dict[CommitId, set[str]] = {}
        self._wanted: _Words = {}
        self._told: dict[CommitId, dict[str, Status]] = {}
        self._change = threading.Condition()
        self._is_closing = False
        self._thread = threading.Thread(target=self._work, name="statuses", daemon=True)
        self._thread.start()

    def follow(self, commit: CommitId, infras: Collection[str]) -> None:
        """Tell from now on how each of *infras*, which *commit* touched, stands there."""
        with self._change:
            self._touched[commit] = set(infras)
            for old in list(self._touched)[:-REMEMBERED]:
                del self._touched[old]
                self._told.pop(old, None)

    def show(self, ended: CycleEnded) -> None:
        """Tell what came of a cycle, if the commit touched the infra."""
        infra = ended.work.key.name
        with self._change:
            if infra in self._touched.get(ended.commit, ()):
                said = self._redact(describe_cycle(ended))[:LONGEST]
                is_run = ended.report is not None and ended.report.run is not None
                self._wanted[ended.commit, infra] = _Word(compute_state(ended), said, is_run)
                self._change.notify()

    def close(self) -> None:
        """Tell what is to be told, once, and no more."""
        with self._change:
            self._is_closing = True
            self._change.notify()
        self._thread.join(LAST)

    def _work(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._is_closing or self._wanted)
                wanted, self._wanted = self._wanted, {}
                is_last = self._is_closing
            failed = self._tell_all(wanted) if wanted else {}
            if is_last:
                return
            with self._change:
                if failed:
                    self._change.wait_for(lambda: self._is_closing, AGAIN)
                self._wanted = {**failed, **self._wanted}

    def _tell_all(self, wanted: _Words) -> _Words:
        """Tell *wanted*; return what could not be told."""
        left = dict(wanted)
        try:
            forge = self._open_forge()
            for (commit, infra), word in wanted.items():
                self._tell_one(forge, commit, infra, word)
                del left[commit, infra]
        except ProvisioningError as exc:
            self._tell(ForgeUntold(workspace=self._workspace, error=exc))
        except Exception:  # noqa: BLE001  a defect must not silence it for ever
            self._tell(Defect(key=None, trace=traceback.format_exc()))
        return left

    def _tell_one(self, forge: Forge, commit: CommitId, infra: str, word: _Word) -> None:
        if commit not in self._told:
            self._told[commit] = forge.list_statuses(commit)
        branch = get_ref(infra).removeprefix("refs/heads/")
        status = Status(
            context=f"{CONTEXT}/{infra}",
            state=word.state,
            description=word.description,
            url=forge.get_file_url(branch, "run.json"),
        )
        there = self._told[commit].get(status.context)
        is_known = there is not None and there.state is State.SUCCESS and not word.is_run
        if there != status and not (is_known and word.state is State.SUCCESS):
            forge.set_status(commit, status)
            self._told[commit][status.context] = status

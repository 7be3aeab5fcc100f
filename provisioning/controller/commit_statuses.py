"""Reports to a forge how each infra that a commit touched stands: one commit status an infra.

The last status of each commit and infra counts, and is retried until the forge takes it. It
follows from the state of the world, so that the next cycle reports a lost one again.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Collection
from typing import TypeAlias

import msgspec

from provisioning.controller.events import CycleEnded, Defect, EventSink, ForgeCallFailed
from provisioning.core.model.errors import LockHeld, ProvisioningError
from provisioning.core.model.ids import CommitId
from provisioning.core.reviews.forge import CommitStatus, Forge, State
from provisioning.core.statelog.transitions import get_ref
from provisioning.reconciler.planning.plan_result import Conclusion

CONTEXT = "provisioning-run"
"""Statuses of runs are below it, as in `provisioning-run/web`; reviews have their own."""

RETRY_SECONDS = 30.0
"""Seconds after which a status that the forge did not take is retried."""

FLUSH_TIMEOUT = 5.0
"""Seconds that the pending statuses may take when the service ends."""

MAX_DESCRIPTION = 140
"""Characters of a status's description."""

MAX_COMMITS = 64
"""Commits whose statuses are kept."""

_STATES = {
    Conclusion.UNCHANGED: State.SUCCESS,
    Conclusion.APPLIED: State.SUCCESS,
    Conclusion.BLOCKED: State.PENDING,
    Conclusion.INTERRUPTED: State.PENDING,
    LockHeld.code: State.PENDING,
}
"""Pending is where a person or a later cycle can still succeed; all other results failed."""


class _Wanted(msgspec.Struct, frozen=True):
    state: State
    description: str


_Pending: TypeAlias = dict[tuple[CommitId, str], _Wanted]


class CommitStatuses:
    """The commit statuses of one workspace; one thread sends them."""

    def __init__(
        self,
        workspace: str,
        open_forge: Callable[[], Forge],
        redact: Callable[[str], str],
        notify: EventSink,
    ) -> None:
        self._workspace = workspace
        self._open_forge = open_forge
        self._redact = redact
        self._notify = notify
        self._touched: dict[CommitId, set[str]] = {}
        self._pending: _Pending = {}
        self._sent: dict[CommitId, dict[str, CommitStatus]] = {}
        self._change = threading.Condition()
        self._is_closing = False
        self._thread = threading.Thread(target=self._work, name="statuses", daemon=True)

    def start(self) -> None:
        """Start the thread that sends."""
        self._thread.start()

    def follow(self, commit: CommitId, infras: Collection[str]) -> None:
        """Report from now on how each of *infras*, which *commit* touched, stands there."""
        with self._change:
            self._touched[commit] = set(infras)
            for old in list(self._touched)[:-MAX_COMMITS]:
                del self._touched[old]

    def report(self, ended: CycleEnded) -> None:
        """Queue the status of a cycle, at its commit and at those before it that still wait."""
        infra, state = ended.key.name, _STATES.get(ended.result, State.FAILURE)
        with self._change:
            commits = list(self._touched)
            last = commits.index(ended.commit) + 1 if ended.commit in self._touched else 0
            waiting = [commit for commit in commits[:last] if infra in self._touched[commit]]
            for commit in waiting:
                known = self._pending.get((commit, infra))
                if known is None or known.state is not State.SUCCESS or state is not known.state:
                    description = self._redact(ended.sentence)[:MAX_DESCRIPTION]
                    self._pending[commit, infra] = _Wanted(state, description)
            self._change.notify()

    def close(self) -> None:
        """Flush pending commit statuses once and stop."""
        with self._change:
            self._is_closing = True
            self._change.notify()
        if self._thread.is_alive():
            self._thread.join(FLUSH_TIMEOUT)

    def _work(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._is_closing or self._pending)
                pending, self._pending = self._pending, {}
                is_last = self._is_closing
            left = self._send_all(pending)
            if is_last:
                return
            with self._change:
                if left:
                    self._change.wait_for(lambda: self._is_closing, RETRY_SECONDS)
                self._pending = {**left, **self._pending}

    def _send_all(self, pending: _Pending) -> _Pending:
        """Send *pending*; return those to retry later."""
        left = dict(pending)
        for (commit, infra), wanted in pending.items():
            try:
                self._send(commit, infra, wanted)
                if wanted.state is State.SUCCESS:
                    self._finish(commit, infra)
            except ProvisioningError as exc:
                self._notify(ForgeCallFailed(workspace=self._workspace, error=exc))
                if exc.retryable:
                    break
                self._finish(commit, infra)
            except Exception:  # noqa: BLE001  a defect must not end the thread
                self._notify(Defect(trace=traceback.format_exc()))
            del left[commit, infra]
        self._sent = {
            commit: statuses for commit, statuses in self._sent.items() if commit in self._touched
        }
        return left

    def _finish(self, commit: CommitId, infra: str) -> None:
        """Send no more of *infra* at *commit*: its status is final, or the forge refuses it."""
        with self._change:
            self._touched.get(commit, set()).discard(infra)

    def _send(self, commit: CommitId, infra: str, wanted: _Wanted) -> None:
        forge = self._open_forge()
        sent = self._sent.setdefault(commit, {})
        if not sent:
            sent |= forge.list_statuses(commit)
        status = CommitStatus(
            context=f"{CONTEXT}/{infra}",
            state=wanted.state,
            description=wanted.description,
            url=forge.get_file_url(get_ref(infra).removeprefix("refs/heads/"), "run.json"),
        )
        there = sent.get(status.context)
        is_final = there is not None and there.state is wanted.state is State.SUCCESS
        if there != status and not is_final:
            forge.set_status(commit, status)
            sent[status.context] = status

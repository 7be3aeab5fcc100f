"""Keeps one open pull request for each drift under the policy `pr`, and no other."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from provisioning.core.model.errors import HeadMoved, ProvisioningError
from provisioning.core.model.ids import CommitId
from provisioning.core.model.records import Action
from provisioning.core.model.resources import DriftPolicy, Resource
from provisioning.core.model.values import compute_digest
from provisioning.core.plan.plan import Drifted
from provisioning.core.reviews.drift_acceptance import accept_drift
from provisioning.core.reviews.drift_pulls import (
    CLOSING,
    Acceptance,
    DriftNote,
    DriftPlace,
    find_drift_place,
    render_body,
    render_closing,
    render_drift,
    render_title,
)
from provisioning.core.reviews.forge import PullRequest
from provisioning.core.reviews.redaction import redact_drifted
from provisioning.gitstore.branches.drift_branches import DriftBranch, DriftBranches
from provisioning.reconciler.execution.lease import render_time
from provisioning.reconciler.planning.plan_result import PlanResult
from provisioning.reconciler.retries import retry_moved
from provisioning.reconciler.reviews.context import ReviewContext

MAX_ATTEMPTS = 5
"""How often the sync is tried while somebody else writes the same branches."""


class DriftPublisher(msgspec.Struct, frozen=True, kw_only=True):
    """Opens, updates and closes pull requests about drift; writes only what differs."""

    context: ReviewContext
    branches: DriftBranches

    def sync_all(self) -> list[ProvisioningError]:
        """Plan every infra that can have such a drift, and sync its pull requests.

        Returns:
            The errors of infras that cannot be planned; their pull requests stay as they are.
        """
        commit, problems, found = self._fetch(), [], []
        known = self.context.list_infras(commit)
        for infra in known:
            try:
                if self._can_drift(infra, commit):
                    found.append(self.context.plan(infra, commit))
            except ProvisioningError as exc:
                problems.append(exc)
        gone = {place.infra for place in self.branches.list_places()}.difference(known)
        self.sync(found, gone)
        return problems

    def sync_infra(self, infra: str) -> None:
        """Plan *infra*, and sync its pull requests."""
        self.sync([self.context.plan(infra, self._fetch())])

    def sync(self, found: Sequence[PlanResult], gone: Collection[str] = ()) -> None:
        """Open, update and close pull requests until they are those of *found*.

        The plans are of whole infras: a targeted one would hide drifts. The infras *gone* are no
        longer desired.

        Raises:
            HeadMoved: If somebody else wrote a branch during each attempt.
        """
        try:
            self._sync(found, gone)
        except HeadMoved:
            retry_moved(lambda: self._sync_again(found, gone), MAX_ATTEMPTS - 1)

    def _sync_again(self, found: Sequence[PlanResult], gone: Collection[str]) -> None:
        self._fetch()
        self._sync(found, gone)

    def _fetch(self) -> CommitId:
        self.branches.fetch(self.context.branch)
        return self.context.read_base()

    def _can_drift(self, infra: str, commit: CommitId) -> bool:
        has_branch = any(place.infra == infra for place in self.branches.list_places())
        resources = () if has_branch else self.context.compile(commit, infra)
        return has_branch or any(map(_is_watched, resources))

    def _sync(self, found: Sequence[PlanResult], gone: Collection[str]) -> None:
        there = self.branches.list_places()
        if not there and not any(_list_drifted(planned) for planned in found):
            return
        own = self.context.forge.read_login()
        pulls = {find_drift_place(pull, own): pull for pull in self.context.list_open_pulls()}
        for place in there:
            if place.infra in gone:
                self._close(place, pulls.get(place), is_watched=False)
        for planned in found:
            plan = planned.plan
            is_open = {item.id for item in plan.blocked}
            for drifted in _list_drifted(planned):
                is_open.add(drifted.id)
                place = DriftPlace(plan.infra, drifted.id)
                self._sync_open(place, planned, drifted, pulls.get(place))
            for place in there:
                if place.infra == plan.infra and place.id not in is_open:
                    resource = planned.desired.resources.get(place.id)
                    is_watched = resource is not None and _is_watched(resource)
                    self._close(place, pulls.get(place), is_watched=is_watched)

    def _is_foreign(self, place: DriftPlace) -> bool:
        """Return whether somebody else took the name of the branch; it is theirs."""
        branch = self.branches.read(place)
        return branch is not None and branch.note is None

    # An open one

    def _sync_open(
        self, place: DriftPlace, planned: PlanResult, drifted: Drifted, pull: PullRequest | None
    ) -> None:
        if self._is_foreign(place):
            return
        forge, title = self.context.forge, render_title(place)
        since, acceptance = self._sync_branch(place, planned, drifted)
        redacted = redact_drifted(drifted, self.context.redact)
        body = render_body(place, redacted, since, acceptance)
        if pull is None:
            forge.create_pull(place.branch, self.context.branch, title, body)
        elif pull.body.strip() != body.strip():
            forge.update_pull(pull.number, body)

    def _sync_branch(
        self, place: DriftPlace, planned: PlanResult, drifted: Drifted
    ) -> tuple[str, Acceptance]:
        """Write the branch that accepts the drift; return since when it is seen, and how."""
        old, commit = self.branches.read(place), planned.plan.commit
        since = _read_since(old) or render_time(self.branches.now())
        is_merged = old is not None and self.context.repository.is_ancestor(old.head, commit)
        if old and not old.is_ours and not is_merged:
            return since, Acceptance.TAKEN_OVER
        files = self._edit(planned, drifted)
        digest = compute_digest(render_drift(redact_drifted(drifted, self.context.redact)))
        note = DriftNote(digest=digest, since=since)
        new = self.branches.build_commit(place, commit, files, note)
        if not self._is_there(old, note, commit, new):
            if files and not self._is_accepted(place, new):
                files = {}
                new = self.branches.build_commit(place, commit, files, note)
            if not self._is_there(old, note, commit, new):
                self.branches.write(place, new, old.head if old else None)
        return since, Acceptance.EDITED if files else Acceptance.EMPTY

    def _edit(self, planned: PlanResult, drifted: Drifted) -> dict[str, bytes]:
        """Return the edited manifest by its path; {} if it has a secret, or cannot be edited."""
        resource = planned.desired.resources[drifted.id]
        path = resource.source.file
        live = "\n".join(str(field.before) for field in drifted.fields)
        is_exposed = any(True for _ in self.context.find_exposed(live.encode()))
        data = self.context.repository.read_file(planned.plan.commit, path)
        edited = accept_drift(data, resource, drifted.fields) if data else None
        if edited is None or is_exposed or self.context.redact(live) != live:
            return {}
        return {path: edited}

    def _is_there(
        self, old: DriftBranch | None, note: DriftNote, base: CommitId, new: CommitId
    ) -> bool:
        """Tell whether the branch has the same note, and its merge the same tree as *new*."""
        if old is None or old.note != note or self.context.repository.is_ancestor(old.head, base):
            return False
        merge = self.context.repository.merge(base, old.head)
        if merge.commit is None:
            return False
        trees = {self.context.repository.find_id(item, "") for item in (merge.commit, new)}
        return len(trees) == 1

    def _is_accepted(self, place: DriftPlace, commit: CommitId) -> bool:
        """Tell whether, at *commit*, the resource has no drift and needs at most a record."""
        try:
            plan = self.context.plan(place.infra, commit).plan
        except ProvisioningError:
            return False  # the live values are not valid in a manifest
        recorded = {
            change.id
            for change in plan.changes
            if change.action is Action.ADOPT and not change.fields
        }
        return place.id in recorded.union(plan.unchanged) - {item.id for item in plan.drifted}

    # One to close

    def _close(self, place: DriftPlace, pull: PullRequest | None, *, is_watched: bool) -> None:
        """Comment, close it, and delete its branch; repeat what an interrupted call left."""
        old = self.branches.read(place)
        if pull is None and self._is_foreign(place):
            return
        if pull is not None:
            bodies = [comment.body for comment in self.context.forge.list_comments(pull.number)]
            if not any(body.startswith(CLOSING) for body in bodies):
                text = render_closing(place, is_watched=is_watched)
                self.context.forge.create_comment(pull.number, text)
            self.context.forge.close_pull(pull.number)
        if old is not None:
            self.branches.delete(place, old.head)


def _is_watched(resource: Resource) -> bool:
    return resource.lifecycle.drift is DriftPolicy.PR


def _list_drifted(planned: PlanResult) -> list[Drifted]:
    return [item for item in planned.plan.drifted if item.policy is DriftPolicy.PR]


def _read_since(old: DriftBranch | None) -> str:
    if old is None:
        return ""
    return old.note.since if old.note else render_time(old.time)

"""A workspace as its reviews see it: the forge, the commits, and the plans of infras."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec

from provisioning.core.model.ids import CommitId
from provisioning.core.model.resources import Resource
from provisioning.core.reviews.forge import Forge, PullRequest
from provisioning.gitstore.branches.review_log import ReviewLog
from provisioning.reconciler.planning.plan_result import PlanResult

if TYPE_CHECKING:
    from provisioning.gitstore.repository.repository import Repository


class ExposedText(Protocol):
    """A credential in plain text."""

    @property
    def what(self) -> str:
        """Its type."""

    @property
    def line(self) -> int:
        """Its line, from 1 on."""

    @property
    def text(self) -> str:
        """The credential itself."""


class ReviewContext(msgspec.Struct, frozen=True, kw_only=True):
    """One workspace, shared by everything that reviews its pull requests.

    `reviews` are the plans that were shown, `branch` is the one that desired state is read from,
    and `read_base` returns its newest fetched commit.
    `compile_untrusted` takes the base, a commit, and an infra, and opens nothing. `plan` plans an
    infra at a commit as a review does: no earlier review counts. `find_exposed` returns the
    credentials in a file. `redact` removes from a text what was decrypted here.
    """

    forge: Forge
    reviews: ReviewLog
    repository: Repository
    branch: str
    read_base: Callable[[], CommitId]
    list_infras: Callable[[CommitId], list[str]]
    compile: Callable[[CommitId, str], Sequence[Resource]]
    compile_untrusted: Callable[[CommitId, CommitId, str], Sequence[Resource]]
    plan: Callable[[str, CommitId], PlanResult]
    find_exposed: Callable[[bytes], Iterable[ExposedText]]
    redact: Callable[[str], str]

    def list_open_pulls(self) -> list[PullRequest]:
        """Return the open pull requests to the branch."""
        pulls = self.forge.list_open_pulls()
        return [pull for pull in pulls if pull.base_branch == self.branch]

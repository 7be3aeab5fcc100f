"""Joins what works at a forge: the reviewer, the proposer, and the setup of the repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from provisioning.application.setup.forge import ForgeSetup
from provisioning.core.model.ids import CommitId
from provisioning.core.reviews.codeowners import PATHS, CodeOwners, parse_codeowners
from provisioning.core.reviews.commands import Verb
from provisioning.core.reviews.permissions import Permissions, exclude_author
from provisioning.core.statelog.transitions import LogView
from provisioning.gitstore.branches.drift_branches import DriftBranches
from provisioning.gitstore.branches.review_log import ReviewLog
from provisioning.reconciler.cycle import Reconciler
from provisioning.reconciler.operations.lock import hold_lock, release_lock
from provisioning.reconciler.operations.propose import Proposer
from provisioning.reconciler.planning.plan_result import PlanResult, RunRequest
from provisioning.reconciler.reviews.applier import Applier
from provisioning.reconciler.reviews.context import ReviewContext
from provisioning.reconciler.reviews.drift_pulls import DriftPublisher
from provisioning.reconciler.reviews.inspector import Inspector
from provisioning.reconciler.reviews.publisher import Publisher
from provisioning.reconciler.reviews.responder import Responder
from provisioning.reconciler.reviews.reviewer import Reviewer
from provisioning.secrets.exposed_credentials import find_exposed

if TYPE_CHECKING:
    from provisioning.application.workspace.workspace import Workspace
    from provisioning.config.layers import Layers
    from provisioning.core.reviews.forge import Forge
    from provisioning.gitstore.repository.remote import Remote


def build_reviewer(workspace: Workspace) -> Reviewer:
    """Join the reviewer of a workspace's pull requests.

    Raises:
        InvalidConfiguration: If the workspace is at no forge.
    """
    forge, remote = _join_pulls(workspace)
    commits, desk = workspace.commits, _Desk(workspace)
    settings = commits.load_layers(commits.fetch(), None)
    requires_reviews = settings.get("review.policy").value == "pull-request"
    context = ReviewContext(
        forge=forge,
        reviews=ReviewLog(remote, workspace.logs.holder.user, workspace.forge.read_review_key),
        repository=commits.repository,
        branch=workspace.settings.branch,
        read_base=commits.read_base,
        list_infras=workspace.list_infras,
        compile=workspace.compile,
        compile_untrusted=workspace.compile_untrusted,
        plan=desk.plan,
        find_exposed=find_exposed,
        redact=workspace.redactor.redact,
    )
    applier = Applier(
        context=context,
        build_reconciler=workspace.build_reconciler,
        build_early=desk.build_early,
        fetch=commits.fetch,
        approvals=1 if requires_reviews else 0,
    )
    return Reviewer(
        context=context,
        applier=applier,
        inspector=Inspector(
            context=context,
            plan_merged=desk.plan_merged,
            read_view=desk.read_view,
            applies_first=settings.get("review.apply").value == "before-merge",
        ),
        responder=Responder(
            context=context,
            read_owners=desk.read_owners,
            apply=applier.apply,
            hold=desk.hold,
            release=desk.release,
            permissions=_read_permissions(settings, requires_reviews=requires_reviews),
        ),
        publisher=Publisher(context=context),
        drift_publisher=DriftPublisher(
            context=context, branches=DriftBranches(remote, workspace.logs.holder.user)
        ),
    )


def _read_permissions(settings: Layers, *, requires_reviews: bool) -> dict[Verb, Permissions]:
    """Return who may use which command; with required reviews nobody approves their own change."""
    found: dict[Verb, Permissions] = {
        verb: Permissions(settings.get(f"commands.{verb}").value)
        for verb in Verb
        if verb is not Verb.HELP
    }
    if requires_reviews:
        found[Verb.APPROVE] = exclude_author(found[Verb.APPROVE])
    return found


def build_proposer(workspace: Workspace) -> Proposer:
    """Join what proposes commits as pull requests.

    Raises:
        InvalidConfiguration: If the workspace is at no forge.
    """
    forge, remote = _join_pulls(workspace)
    return Proposer(forge=forge, publish=remote.publish, branch=workspace.settings.branch)


def build_setup(workspace: Workspace, hook: str | None) -> ForgeSetup:
    """Join the setup of a workspace's repository.

    Raises:
        InvalidConfiguration: If the workspace is at no forge.
    """
    forge = workspace.forge.require("there is nothing to set up")
    secret = workspace.forge.build_token_file("webhook_secret_file")
    rules = forge.build_rules(secret.read_or_make)
    return ForgeSetup(workspace=workspace, forge=forge, rules=rules, secret=secret, hook=hook)


def _join_pulls(workspace: Workspace) -> tuple[Forge, Remote]:
    pulls = workspace.forge.require("there are no pull requests").pulls
    remote = workspace.commits.remote
    assert remote is not None  # noqa: S101  a workspace at a forge has its repository there
    return pulls, remote


class _Desk:
    """The functions of a workspace that a review needs."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def plan(self, infra: str, commit: CommitId) -> PlanResult:
        reconciler = self._workspace.build_reconciler(
            infra, commit, base=self._workspace.commits.read_base(), waits_for_windows=False
        )
        return self._plan(reconciler, commit)

    def plan_merged(self, infra: str, commit: CommitId) -> PlanResult:
        return self._plan(self._workspace.build_reconciler(infra, commit), commit)

    def _plan(self, reconciler: Reconciler, commit: CommitId) -> PlanResult:
        view = self.read_view(reconciler.context.infra)
        return reconciler.plan(RunRequest(commit=commit, reason="review"), view)

    def read_view(self, infra: str) -> LogView:
        return self._workspace.logs.build(infra).read_local()

    def read_owners(self) -> CodeOwners:
        """Read CODEOWNERS of the base branch: a pull request does not name its own judges."""
        repository, base = self._workspace.commits.repository, self._workspace.commits.read_base()
        files = (repository.read_file(base, path) for path in PATHS)
        text = next((file for file in files if file is not None), b"")
        return parse_codeowners(text.decode("utf-8", "replace"))

    def build_early(self, infra: str, commit: CommitId) -> Reconciler:
        return self._workspace.build_reconciler(
            infra, commit, base=self._workspace.commits.read_base()
        )

    def hold(self, infra: str, by: str, pull: int) -> str:
        lock = self._workspace.logs.build_hold(f"held in pull request #{pull}", None)
        lock = msgspec.structs.replace(lock, holder=msgspec.structs.replace(lock.holder, user=by))
        view = hold_lock(
            self._workspace.logs.build(infra),
            lock,
            judge=self._workspace.logs.build_judge(infra),
            steals=False,
        )
        return f"✅ `{infra}` is held (token {view.fence}); nothing is applied until it is released"

    def release(self, infra: str, by: str) -> str:
        release_lock(self._workspace.logs.build(infra), by)
        return f"✅ `{infra}` is free"

"""Joins what a workspace needs to be read, planned and applied."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from provisioning.application.workspace.commits import WorkspaceCommits
from provisioning.application.workspace.forge_access import ForgeAccess
from provisioning.application.workspace.shared_state import SharedState
from provisioning.application.workspace.state_logs import StateLogs
from provisioning.application.workspace.workspace import Builders, Workspace
from provisioning.application.workspace.workspace_settings import WorkspaceSettings
from provisioning.bootstrap.cycle_settings import build_settings, list_gates
from provisioning.bootstrap.resolvers import Resolvers
from provisioning.config.home import Home, find_home
from provisioning.config.layers import Layers
from provisioning.config.workspace import find_workspace
from provisioning.core.model.ids import CommitId
from provisioning.core.model.kinds import Kind, build_kinds
from provisioning.core.policy.approvals import ReviewedEffects
from provisioning.core.statelog.transitions import LogView
from provisioning.gitstore.statelog.git_statelog import GitStateLog
from provisioning.reconciler.context import InfraContext
from provisioning.reconciler.cycle import Reconciler
from provisioning.reconciler.events import Event, Listener
from provisioning.reconciler.execution.cancellation import Cancellation
from provisioning.reconciler.execution.lease import Clocks
from provisioning.reconciler.execution.runner import Runner
from provisioning.reconciler.gatekeeper import Gatekeeper
from provisioning.reconciler.planning.cross_infra import CrossInfra
from provisioning.reconciler.planning.planner import Planner

if TYPE_CHECKING:
    from provisioning.application.setup.forge import ForgeSetup
    from provisioning.providers.instance import ProviderInstance
    from provisioning.reconciler.operations.propose import Proposer
    from provisioning.reconciler.reviews.reviewer import Reviewer

ReadReviewed = Callable[[LogView, CommitId], ReviewedEffects | None]


def open_workspace(folder: str, flags: Sequence[str]) -> Workspace:
    """Open the workspace that *folder* lies in.

    Raises:
        WorkspaceNotFound: If there is none.
    """
    root = find_workspace(Path(folder))
    return join_workspace(root, find_home(os.environ), dict(os.environ), flags, SharedState())


def join_workspace(
    root: Path, home: Home, environ: Mapping[str, str], flags: Sequence[str], shared: SharedState
) -> Workspace:
    """Join the workspace whose folder is *root*."""
    settings = WorkspaceSettings(root, home, environ, flags)
    forge = ForgeAccess(settings, shared)
    commits = WorkspaceCommits(settings, forge, shared)
    resolvers = Resolvers()
    return Workspace(
        settings=settings,
        forge=forge,
        commits=commits,
        logs=StateLogs(commits),
        shared=shared,
        builders=Builders(
            providers=build_providers,
            lookup=resolvers.build_lookup,
            reconciler=lambda *positional, **named: build_reconciler(
                resolvers, *positional, **named
            ),
            reviewer=_build_reviewer,
            proposer=_build_proposer,
            forge_setup=_build_forge_setup,
        ),
    )


def build_reconciler(
    resolvers: Resolvers,
    workspace: Workspace,
    infra: str,
    commit: CommitId,
    *,
    stop: Cancellation | None,
    listener: Listener | None,
    base: CommitId | None,
    waits_for_windows: bool,
) -> Reconciler:
    """Join the reconciler of *infra* with the settings of *commit*, or of *base* if it has one."""
    layers = workspace.commits.load_layers(commit, infra, base)
    settings = build_settings(layers)
    providers = {provider.name: provider for provider in build_providers(workspace, layers)}
    kinds = build_kinds(kind for item in providers.values() for kind in item.describe())
    log = workspace.logs.build(infra, layers)
    home, identifier = workspace.settings.home, workspace.settings.identifier
    compiler = workspace.build_compiler(kinds, base=base)
    context = InfraContext(
        infra=infra,
        workspace=identifier,
        log=log,
        kinds=kinds,
        providers=providers,
        key=home.read_fingerprint_key(),
        journals=home.checkpoints / identifier / infra,
        settings=settings if waits_for_windows else replace(settings, windows=()),
        clocks=Clocks(),
    )
    return Reconciler(
        context=context,
        planner=Planner(
            context=context,
            compiler=compiler,
            lookup=resolvers.build_scope(workspace, layers, commit, infra),
            plan_cache=home.plan_cache / identifier / f"{infra}.msgpack",
            cross_infra=CrossInfra(infra=infra, claims=compiler, open_log=workspace.logs.build),
        ),
        gatekeeper=Gatekeeper(
            context=context,
            history=workspace.commits.repository,
            judge=workspace.logs.build_judge(infra),
            read_reviewed=_ask_for_nothing
            if base
            else _build_approval_reader(workspace, log, layers),
            gates=list_gates(),
        ),
        runner=Runner(
            context=context,
            holder=workspace.logs.holder,
            nonce=lambda: secrets.token_bytes(3),
            stop=stop or Cancellation(),
            is_superseded=workspace.commits.is_superseded,
            listener=listener or _ignore,
        ),
    )


def _build_approval_reader(workspace: Workspace, log: GitStateLog, layers: Layers) -> ReadReviewed:
    """Join the reader of approvals, if the workspace is at a forge."""
    commits, forge = workspace.commits, workspace.forge.repository
    if forge is None or commits.remote is None:
        return _ask_for_nothing
    from provisioning.gitstore.branches.review_log import ReviewLog
    from provisioning.reconciler.reviews.approval_reader import ApprovalReader

    approvals = ApprovalReader(
        forge=forge.pulls,
        reviews=ReviewLog(
            commits.remote, workspace.logs.holder.user, workspace.forge.read_review_key
        ),
        history=commits.repository,
        branch=workspace.settings.branch,
        is_required=layers.get("review.policy").value == "pull-request",
    )
    return lambda view, commit: approvals.read_reviewed(log, view, commit)


def build_providers(workspace: Workspace, layers: Layers) -> list[ProviderInstance]:
    """Build the provider instances that *layers* configure."""
    from provisioning.providers.registry import Workplace, build_instances

    workplace = Workplace(workspace.settings.root, workspace.settings.home.path)
    return build_instances(layers, workplace, workspace.shared.providers)


def list_kinds() -> dict[str, Kind]:
    """Return the kinds of every registered provider, by name."""
    from provisioning.providers.registry import list_kinds

    return build_kinds(list_kinds())


def _ignore(event: Event) -> None:
    del event


def _ask_for_nothing(view: LogView, commit: CommitId) -> None:
    del view, commit


def _build_reviewer(workspace: Workspace) -> Reviewer:
    from provisioning.bootstrap.reviews import build_reviewer

    return build_reviewer(workspace)


def _build_proposer(workspace: Workspace) -> Proposer:
    from provisioning.bootstrap.reviews import build_proposer

    return build_proposer(workspace)


def _build_forge_setup(workspace: Workspace, hook: str | None) -> ForgeSetup:
    from provisioning.bootstrap.reviews import build_setup

    return build_setup(workspace, hook)

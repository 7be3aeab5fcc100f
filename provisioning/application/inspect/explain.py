"""`why`, `graph` and `impact`: where things come from, and what they affect."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from provisioning.application.context import Context, InfraRequest, UseCaseRequest
from provisioning.application.selection import find_resource, select_infras
from provisioning.core.model.errors import InvalidArgument
from provisioning.core.model.ids import CommitId, ResourceId

if TYPE_CHECKING:
    from provisioning.application.workspace.workspace import Workspace
    from provisioning.core.status.dependency_graph import DependencyGraph
    from provisioning.core.status.impact import Impact, ImpactSource
    from provisioning.core.status.provenance import Provenance
    from provisioning.core.status.secret_usage import SecretUsage
    from provisioning.reconciler.explain.checkout import Checkout


class WhyRequest(InfraRequest["Provenance"], frozen=True, kw_only=True):
    """Explain the resource *id*, or its *field*, as in `.spec.path`."""

    id: str
    field: str | None = None


class SecretUsageRequest(InfraRequest["SecretUsage"], frozen=True, kw_only=True):
    """Find where *secret*, as in `secrets.FILE.KEY`, is kept and used."""

    secret: str


class GraphRequest(InfraRequest["DependencyGraph"], frozen=True, kw_only=True):
    """Compute the dependency graph of *infra* and what it is linked with, or of all."""


class Impacts(msgspec.Struct, frozen=True, kw_only=True):
    """The resources that a change can affect, by infra, and files that are part of none."""

    infras: dict[str, list[Impact]]
    ignored: list[str]


class ImpactRequest(UseCaseRequest[Impacts], frozen=True, kw_only=True):
    """Find what a change can affect: of files below *folder*, of a commit, or of `OLD..NEW`."""

    names: tuple[str, ...]
    folder: Path


def why(request: WhyRequest, context: Context) -> Provenance:
    """Find who asked for it, where, and which run applied it."""
    from provisioning.reconciler.explain.provenance import trace_provenance

    workspace = context.open_workspace()
    selection = select_infras(workspace, request.infra)
    checkout, views = workspace.build_checkout(selection.commit), selection.read_views()

    def has(name: str, wanted: ResourceId) -> bool:
        is_recorded = workspace.logs.has_record(name, wanted)
        return is_recorded or wanted in checkout.read_resources(name)

    infra, resource = find_resource([*views], request.infra, request.id, has)
    return trace_provenance(checkout, infra, views[infra], resource, request.field)


def secret_usage(request: SecretUsageRequest, context: Context) -> SecretUsage:
    """Find the places of a secret by names alone; no key is needed."""
    from provisioning.reconciler.explain.secret_usage import read_secret_usage

    workspace = context.open_workspace()
    selection = select_infras(workspace, request.infra)
    checkout = workspace.build_checkout(selection.commit)
    return read_secret_usage(checkout, selection.read_views(), request.secret)


def graph(request: GraphRequest, context: Context) -> DependencyGraph:
    """Compute which resources depend on which, and the condition of each."""
    from provisioning.core.policy.suspensions import describe_suspension, list_suspended
    from provisioning.core.status.dependency_graph import (
        View,
        compute_dependency_graph,
        focus_graph,
    )
    from provisioning.reconciler.execution.lease import render_time

    workspace = context.open_workspace()
    selection = select_infras(workspace, None)
    if request.infra:
        workspace.choose_infras(selection.commit, request.infra, recorded=True)
    checkout = workspace.build_checkout(selection.commit)
    views, now = {}, render_time(time.time())
    for log in selection.build_logs():
        view = log.read()
        held = view.lock is not None and workspace.logs.judge(log.infra, view.lock).is_held
        begun = view.begin.intents if view.begin and held else ()
        suspended = list_suspended(view.suspended, now)
        views[log.infra] = View(
            desired=checkout.read_resources(log.infra),
            records=log.read_records(view),
            running={intent.id for intent in begun},
            suspended={name: describe_suspension(item) for name, item in suspended.items()},
        )
    found = compute_dependency_graph(views)
    return focus_graph(found, request.infra) if request.infra else found


def impact(request: ImpactRequest, context: Context) -> Impacts:
    """Find which resources a change can affect, and why."""
    from provisioning.reconciler.explain.impact import group_by_infra, read_impact

    checkout, touched = _read_touched(context.open_workspace(), request.folder, request.names)
    found = group_by_infra(read_impact(checkout, touched))
    return Impacts(infras=found, ignored=touched.ignored)


def _read_touched(
    workspace: Workspace, folder: Path, names: tuple[str, ...]
) -> tuple[Checkout, ImpactSource]:
    from provisioning.gitstore.repository.revert import list_changed_paths
    from provisioning.gitstore.statelog.points_in_time import find_commit
    from provisioning.reconciler.explain.impact import read_touched_commits, read_touched_files

    repository, newest = workspace.commits.repository, workspace.commits.fetch()
    paths = [_locate(workspace, folder, newest, name) for name in names]
    if len(names) > 1 or paths[0] is not None:
        checkout = workspace.build_checkout(newest)
        read = workspace.settings.read_work_tree
        for name, path in zip(names, paths, strict=True):
            if path is None:
                raise InvalidArgument(
                    f"{name} is no file of the workspace", hint="give files, or one commit"
                )
        return checkout, read_touched_files(checkout, filter(None, paths), read)
    old, dots, new = names[0].partition("..")
    after = find_commit(repository, new if dots else old)
    parents = repository.read_commit(after).parents
    before = find_commit(repository, old) if dots else (parents or (after,))[0]
    changed = list_changed_paths(repository, before, after)
    one, other = workspace.build_checkout(before), workspace.build_checkout(after)
    below = [path.removeprefix(other.prefix) for path in changed if path.startswith(other.prefix)]
    return other, read_touched_commits(one, other, below)


def _locate(workspace: Workspace, folder: Path, newest: CommitId, name: str) -> str | None:
    """Return the path of *name* in the workspace, if there is or was such a file."""
    path, root = (folder / name).resolve(), workspace.settings.root
    if not path.is_relative_to(root):
        return None
    shown = path.relative_to(root).as_posix()
    committed = workspace.build_checkout(newest).read_file(shown)
    return shown if path.is_file() or committed is not None else None

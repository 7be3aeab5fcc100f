"""`doctor`: the machine, Git, remotes, keys and providers, each problem with a remedy."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from provisioning.application.context import Context, UseCaseRequest
from provisioning.application.selection import select_infras
from provisioning.core.status.health_checks import Check, CheckResult, HealthReport, run_checks
from provisioning.reconciler.explain import health_checks

if TYPE_CHECKING:
    from provisioning.application.workspace.workspace import Workspace
    from provisioning.core.model.ids import CommitId
    from provisioning.reconciler.cycle import Reconciler


class DoctorRequest(UseCaseRequest[Iterator[HealthReport]], frozen=True, kw_only=True):
    """Check everything that a run needs."""


def doctor(request: DoctorRequest, context: Context) -> Iterator[HealthReport]:
    """Yield the report of each check as it ends; the others are made even if one fails."""
    del request
    return run_checks(_list_checks(context))


def _list_checks(context: Context) -> Iterator[Check]:
    """Yield the checks; those of the workspace only as far as it can be opened."""
    import os

    from provisioning.config.home import find_home

    home = find_home(os.environ)
    move = "make room or rights there, or move it with PROVISIONING_HOME"
    yield Check("machine", "git", health_checks.check_git)
    yield Check("machine", "home", lambda: health_checks.check_folder(home.path, move))
    yield Check("keys", "fingerprints", lambda: health_checks.check_key(home.read_fingerprint_key))
    opened: list[Workspace] = []

    def open_workspace() -> CheckResult:
        workspace = context.open_workspace()
        settings = workspace.settings
        text = f"{settings.layers.get('workspace.name').value} ({settings.identifier})"
        opened.append(workspace)
        return CheckResult(text)

    yield Check("workspace", "settings", open_workspace)
    if opened:
        yield from _list_workspace_checks(opened[0])


def _list_workspace_checks(workspace: Workspace) -> Iterator[Check]:
    commits, settings = workspace.commits, workspace.settings
    fetched: list[CommitId] = []

    def fetch() -> CheckResult:
        fetched.append(commits.fetch())
        where = commits.remote.shown if commits.remote else "this repository itself"
        return CheckResult(f"branch and state logs are in {where}")

    yield Check("git", "remote", fetch)
    if not fetched:
        return
    commit, repository, branch = fetched[0], commits.repository, settings.branch
    yield Check("git", "branch", lambda: health_checks.check_branch(repository, branch, commit))
    if commits.remote is None:
        root = settings.root
        yield Check("git", "work tree", lambda: health_checks.check_work_tree(repository, root))
    yield Check("git", "identity", lambda: health_checks.check_identity(repository))
    yield from _list_secret_checks(workspace, commit)
    known: set[str] = set()
    for infra in select_infras(workspace, None, commit=commit).infras:
        yield from _list_infra_checks(workspace, commit, infra, known)


def _list_secret_checks(workspace: Workspace, commit: CommitId) -> Iterator[Check]:
    from sops_python.keys.keyring import EnvironmentKeyring

    checkout = workspace.build_checkout(commit)
    keyring = EnvironmentKeyring(environ=workspace.settings.environ)
    for folder in ("secrets", *(f"infra/{name}" for name in checkout.list_infras())):
        for name in checkout.list_names(folder):
            path = f"{folder}/{name}"
            data = checkout.read_file(path) if ".enc" in name else None
            if data is not None:
                answer = partial(health_checks.check_secret, path, data, keyring)
                yield Check("keys", path, answer)


def _list_infra_checks(
    workspace: Workspace, commit: CommitId, infra: str, known: set[str]
) -> Iterator[Check]:
    built: list[Reconciler] = []
    log, area = workspace.logs.build(infra), f"infra {infra}"

    def build() -> CheckResult:
        built.append(workspace.build_reconciler(infra, commit))
        return CheckResult(f"{len(built[0].context.providers)} provider is configured")

    judge = workspace.logs.build_judge(infra)
    yield Check(area, "state log", lambda: health_checks.check_log(log, judge))
    yield Check(area, "settings", build)
    if not built:
        return
    context, planner = built[0].context, built[0].planner
    for provider in context.providers.values():
        if provider.name not in known:
            known.add(provider.name)
            yield Check(
                area, f"provider {provider.name}", partial(health_checks.check_provider, provider)
            )
    yield Check(area, "manifests", lambda: health_checks.check_manifests(planner, commit))
    yield Check(area, "live", lambda: health_checks.check_live(context))

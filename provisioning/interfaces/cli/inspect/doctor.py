"""`doctor`: the machine, Git, remotes, keys and providers, each with a remedy."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import click

from provisioning.interfaces.cli.session import Session, output_option, pass_session, print_shape

if TYPE_CHECKING:
    from provisioning.bootstrap import Workspace
    from provisioning.core.model.ids import CommitId
    from provisioning.core.model.records import Lock
    from provisioning.core.statelog.lock_expiry import LockStatus
    from provisioning.core.status.health_checks import Check
    from provisioning.reconciler.cycle import Reconciler


@click.command()
@output_option
@pass_session
def doctor(session: Session, output: str) -> int:
    """Check the machine, Git, remotes, keys and providers; exits with 1 if something is bad.

    Looks only, and goes on after what it finds. Whatever is not well comes with its remedy.
    """
    from msgspec.structs import asdict

    from provisioning.core.status.health_checks import Health, run_checks
    from provisioning.interfaces.cli.render.health_checks import (
        render_health_report,
        render_verdict,
    )

    found = []
    area = ""
    for check in run_checks(_list_checks(session)):
        found.append(check)
        if output == "text":
            click.echo(render_health_report(check, is_first=check.area != area))
            area = check.area
    if output == "text":
        click.echo(render_verdict(found))
    else:
        print_shape([asdict(item) for item in found], output)
    return 1 if any(item.health is Health.ERROR for item in found) else 0


def _list_checks(session: Session) -> Iterator[Check]:
    """Yield the checks; those of the workspace only as far as it can be opened."""
    import os

    from provisioning.config.home import find_home
    from provisioning.core.status.health_checks import Check, CheckResult
    from provisioning.reconciler.explain import health_checks

    home = find_home(os.environ)
    move = "make room or rights there, or move it with PROVISIONING_HOME"
    yield Check("machine", "git", health_checks.check_git)
    yield Check("machine", "home", lambda: health_checks.check_folder(home.path, move))
    yield Check("keys", "fingerprints", lambda: health_checks.check_key(home.read_fingerprint_key))
    opened: list[Workspace] = []

    def open_workspace() -> CheckResult:
        workspace = session.open_workspace()
        told = f"{workspace.layers.get('workspace.name').value} ({workspace.identifier})"
        opened.append(workspace)
        return CheckResult(told)

    yield Check("workspace", "settings", open_workspace)
    if opened:
        yield from _list_workspace_checks(opened[0])


def _list_workspace_checks(workspace: Workspace) -> Iterator[Check]:
    from provisioning.core.status.health_checks import Check, CheckResult
    from provisioning.reconciler.explain import health_checks

    commits: list[CommitId] = []

    def read_commit() -> CheckResult:
        commits.append(workspace.read_commit())
        where = workspace.remote.shown if workspace.remote else "this repository itself"
        return CheckResult(f"branch and state logs are in {where}")

    yield Check("git", "remote", read_commit)
    if not commits:
        return
    commit, repository, branch = commits[0], workspace.repository, workspace.branch
    yield Check("git", "branch", lambda: health_checks.check_branch(repository, branch, commit))
    if workspace.remote is None:
        root = workspace.root
        yield Check("git", "work tree", lambda: health_checks.check_work_tree(repository, root))
    yield Check("git", "identity", lambda: health_checks.check_identity(repository))
    yield from _list_secret_checks(workspace, commit)
    yield from _list_infra_checks(workspace, commit)


def _list_secret_checks(workspace: Workspace, commit: CommitId) -> Iterator[Check]:
    from provisioning.core.status.health_checks import Check
    from provisioning.reconciler.explain import health_checks
    from sops_python.keys.keyring import EnvironmentKeyring

    checkout = workspace.build_checkout(commit)
    keyring = EnvironmentKeyring(environ=workspace.environ)
    for folder in ("secrets", *(f"infra/{name}" for name in checkout.list_infras())):
        for name in checkout.list_names(folder):
            path = f"{folder}/{name}"
            data = checkout.read_file(path) if ".enc" in name else None
            if data is not None:
                answer = partial(health_checks.check_secret, path, data, keyring)
                yield Check("keys", path, answer)


def _list_infra_checks(workspace: Workspace, commit: CommitId) -> Iterator[Check]:
    known: set[str] = set()
    for name in workspace.choose_infras(commit, None, recorded=True):
        yield from _list_checks_of(workspace, commit, name, known)


def _list_checks_of(
    workspace: Workspace, commit: CommitId, name: str, known: set[str]
) -> Iterator[Check]:
    from provisioning.core.status.health_checks import Check, CheckResult
    from provisioning.reconciler.explain import health_checks

    built: list[Reconciler] = []
    log, area = workspace.build_log(name), f"infra {name}"

    def judge(lock: Lock) -> LockStatus:
        return workspace.judge(name, lock)

    def build() -> CheckResult:
        built.append(workspace.build_reconciler(name, commit))
        return CheckResult(f"{len(built[0].providers)} provider is configured")

    yield Check(area, "state log", lambda: health_checks.check_log(log, judge))
    yield Check(area, "settings", build)
    if not built:
        return
    reconciler = built[0]
    for provider in reconciler.providers.values():
        if provider.name not in known:
            known.add(provider.name)
            yield Check(
                area, f"provider {provider.name}", partial(health_checks.check_provider, provider)
            )
    yield Check(area, "manifests", lambda: health_checks.check_manifests(reconciler, commit))
    yield Check(area, "live", lambda: health_checks.check_live(reconciler))

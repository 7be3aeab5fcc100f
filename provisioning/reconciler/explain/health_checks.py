"""The checks of `doctor`: each checks one thing, and returns a remedy where it is not ok."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from provisioning.core.model.ids import CommitId
from provisioning.core.model.providers import Diagnoses, Provider
from provisioning.core.model.records import Lock
from provisioning.core.statelog.lock_expiry import LockStatus
from provisioning.core.status.health_checks import CheckResult, Health
from provisioning.gitstore.repository.git_program import run_git
from provisioning.providers.instance import find_ability
from provisioning.reconciler.context import InfraContext
from provisioning.reconciler.execution.provider_calls import call_provider
from provisioning.reconciler.explain.drift import read_drift
from provisioning.reconciler.planning.planner import Planner

if TYPE_CHECKING:
    from provisioning.gitstore.repository.repository import Repository
    from provisioning.gitstore.statelog.git_statelog import GitStateLog
    from sops_python.data_keys import Keyring

OLDEST_GIT = (2, 30)
MIN_FREE = 200 * 2**20
"""Bytes below which a disk counts as nearly full."""

MAX_SHOWN = 3


def check_git() -> CheckResult:
    """Check that there is a git program, and that it is new enough."""
    if shutil.which("git") is None:
        return CheckResult("there is no git program", Health.ERROR, "apt-get install git")
    done = subprocess.run(["git", "--version"], capture_output=True, text=True, check=False)
    match = re.search(r"(\d+)\.(\d+)(\.\d+)?", done.stdout)
    if match is None or (int(match[1]), int(match[2])) < OLDEST_GIT:
        message = f"{done.stdout.strip()} is too old"
        return CheckResult(message, Health.ERROR, "install git 2.30 or newer")
    return CheckResult(match[0])


def check_folder(folder: Path, move: str) -> CheckResult:
    """Check that *folder* is writable and has space; *move* is the remedy: another folder."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.NamedTemporaryFile(dir=there):
            free = shutil.disk_usage(there).free
    except OSError as exc:
        return CheckResult(f"{folder} cannot be written: {exc.strerror}", Health.ERROR, move)
    if free < MIN_FREE:
        return CheckResult(f"{folder} has {free // 2**20} MiB left", Health.WARNING, "free space")
    return CheckResult(f"{folder}, {free / 2**30:.1f} GiB free")


def check_branch(repository: Repository, branch: str, commit: CommitId) -> CheckResult:
    """Check that the history of the branch is complete."""
    if run_git(repository.folder, "rev-parse", "--is-shallow-repository").output.strip() == "true":
        return CheckResult("the clone is shallow", Health.WARNING, "git fetch --unshallow")
    return CheckResult(f"{branch} is at {commit[:10]}")


def check_work_tree(repository: Repository, root: Path) -> CheckResult:
    """Check that all of the desired state is committed."""
    changed = repository.list_uncommitted(root, ("infra", "config", "secrets"))
    if not changed:
        return CheckResult("everything is committed")
    names = ", ".join(changed[:MAX_SHOWN]) + (" …" if len(changed) > MAX_SHOWN else "")
    return CheckResult(f"not committed, so never applied: {names}", Health.WARNING, "git commit")


def check_identity(repository: Repository) -> CheckResult:
    """Check that Git has a name and an email for commits."""
    answer = run_git(repository.folder, "var", "GIT_COMMITTER_IDENT")
    if answer.status:
        remedy = "git config user.name YOU; git config user.email YOU@…"
        return CheckResult("Git has no name and email for you", Health.WARNING, remedy)
    return CheckResult(answer.output.rpartition(">")[0] + ">")


def check_log(log: GitStateLog, judge: Callable[[Lock], LockStatus]) -> CheckResult:
    """Check that the state log is readable, and that no lock or interrupted run is left."""
    infra, view = log.infra, log.read_local()
    count = len(log.read_records(view))
    if view.lock:
        lock_status = judge(view.lock)
        what = "a run" if view.lock.run else "a hold"
        message = f"{lock_status.standing} by {view.lock.holder} for {what}: {view.lock.reason}"
        remedy = f"provisioning lock explain {infra}"
        is_normal = lock_status.is_held and view.lock.run
        return CheckResult(message, Health.OK if is_normal else Health.WARNING, remedy)
    if view.is_cut_off:
        return CheckResult("a run was cut off", Health.WARNING, f"provisioning reconcile {infra}")
    if view.suspended.infra:
        return CheckResult("the infra is suspended", Health.WARNING, f"provisioning resume {infra}")
    return CheckResult(f"{count} resources recorded" if view.head else "nothing was applied yet")


def check_manifests(planner: Planner, commit: CommitId) -> CheckResult:
    """Check that the desired state is valid, secrets included."""
    return CheckResult(f"{len(planner.read_desired(commit).resources)} resources are valid")


def check_key(read: Callable[[], bytes]) -> CheckResult:
    """Check that the key of fingerprints exists."""
    read()
    return CheckResult("sensitive values can be compared")


def check_secret(path: str, data: bytes, keyring: Keyring) -> CheckResult:
    """Check that a SOPS file can be decrypted with the available keys."""
    from provisioning.secrets.values import open_secrets

    open_secrets(data, path, keyring)
    return CheckResult("it can be decrypted")


def check_provider(provider: Provider) -> CheckResult:
    """Check the provider by its own diagnosis."""
    kinds = ", ".join(kind.name for kind in call_provider(provider, provider.describe))
    if diagnoses := find_ability(provider, Diagnoses):
        for message, remedy in call_provider(provider, diagnoses.diagnose):
            return CheckResult(message, Health.WARNING, remedy)
    return CheckResult(f"serves {kinds}")


def check_live(context: InfraContext) -> CheckResult:
    """Check that everything recorded can be observed, and has not drifted."""
    found, infra = read_drift(context), context.infra
    if found.unreadable:
        name, reason = next(iter(found.unreadable.items()))
        count = len(found.unreadable) - 1
        message = f"{name} cannot be observed: {reason}" + (f", and {count} more" if count else "")
        return CheckResult(message, Health.ERROR, f"provisioning plan {infra}")
    if found.changed or found.missing:
        message = f"{len(found.changed)} drifted, {len(found.missing)} gone"
        return CheckResult(message, Health.WARNING, f"provisioning diff {infra}")
    return CheckResult("no drift")

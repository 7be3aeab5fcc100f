"""The checks of `doctor`: each looks at one thing, and says what to do if it is not well."""

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
from provisioning.reconciler.cycle import Reconciler
from provisioning.reconciler.execution.provider_calls import call_provider
from provisioning.reconciler.explain.drift import read_differences

if TYPE_CHECKING:
    from provisioning.gitstore.repository.repository import Repository
    from provisioning.gitstore.statelog.git_statelog import GitStateLog
    from sops_python.data_keys import Keyring

OLDEST_GIT = (2, 30)
ROOM = 200 * 2**20
"""Bytes below which a disk is called nearly full."""

SHOWN = 3


def check_git() -> CheckResult:
    """Tell whether there is a git program that is new enough."""
    if shutil.which("git") is None:
        return CheckResult("there is no git program", Health.BAD, "apt-get install git")
    done = subprocess.run(["git", "--version"], capture_output=True, text=True, check=False)
    match = re.search(r"(\d+)\.(\d+)(\.\d+)?", done.stdout)
    if match is None or (int(match[1]), int(match[2])) < OLDEST_GIT:
        return CheckResult(
            f"{done.stdout.strip()} is too old", Health.BAD, "install git 2.30 or newer"
        )
    return CheckResult(match[0])


def check_folder(folder: Path, move: str) -> CheckResult:
    """Tell whether *folder* can be written, and has room; *move* says how to use another one."""
    there = next(item for item in (folder, *folder.parents) if item.exists())
    try:
        with tempfile.NamedTemporaryFile(dir=there):
            free = shutil.disk_usage(there).free
    except OSError as exc:
        return CheckResult(f"{folder} cannot be written: {exc.strerror}", Health.BAD, move)
    if free < ROOM:
        told = f"{folder} has {free // 2**20} MiB left"
        return CheckResult(told, Health.DOUBTFUL, "make room")
    return CheckResult(f"{folder}, {free / 2**30:.1f} GiB free")


def check_branch(repository: Repository, branch: str, commit: CommitId) -> CheckResult:
    """Tell what the branch is at, and whether its history is whole."""
    if run_git(repository.folder, "rev-parse", "--is-shallow-repository").output.strip() == "true":
        return CheckResult("the clone is shallow", Health.DOUBTFUL, "git fetch --unshallow")
    return CheckResult(f"{branch} is at {commit[:10]}")


def check_work_tree(repository: Repository, root: Path) -> CheckResult:
    """Tell what of the desired state is not committed, and so not seen by any run."""
    changed = repository.list_uncommitted(root, ("infra", "config", "secrets"))
    if not changed:
        return CheckResult("everything is committed")
    names = ", ".join(changed[:SHOWN]) + (" …" if len(changed) > SHOWN else "")
    return CheckResult(f"not committed, so no run sees it: {names}", Health.DOUBTFUL, "git commit")


def check_identity(repository: Repository) -> CheckResult:
    """Tell whether Git knows who commits."""
    answer = run_git(repository.folder, "var", "GIT_COMMITTER_IDENT")
    if answer.status:
        remedy = "git config user.name YOU; git config user.email YOU@…"
        return CheckResult("Git does not know who you are", Health.DOUBTFUL, remedy)
    return CheckResult(answer.output.rpartition(">")[0] + ">")


def check_log(log: GitStateLog, judge: Callable[[Lock], LockStatus]) -> CheckResult:
    """Tell whether the state log can be read, who holds it, and whether a run was cut off."""
    infra, view = log.infra, log.read_local()
    count = len(log.read_records(view))
    if view.lock:
        lock_status = judge(view.lock)
        what = "a run" if view.lock.run else "a hold"
        told = f"{lock_status.standing} by {view.lock.holder} for {what}: {view.lock.reason}"
        remedy = f"provisioning lock explain {infra}"
        is_normal = lock_status.is_held and view.lock.run
        return CheckResult(told, Health.GOOD if is_normal else Health.DOUBTFUL, remedy)
    if view.is_cut_off:
        told = "a run was cut off"
        return CheckResult(told, Health.DOUBTFUL, f"provisioning reconcile {infra}")
    if view.suspended.infra:
        return CheckResult("it is suspended", Health.DOUBTFUL, f"provisioning resume {infra}")
    return CheckResult(f"{count} resources recorded" if view.head else "nothing was applied yet")


def check_manifests(reconciler: Reconciler, commit: CommitId) -> CheckResult:
    """Tell whether the desired state can be read, secrets included."""
    return CheckResult(f"{len(reconciler.read_desired(commit).resources)} resources are valid")


def check_key(read: Callable[[], bytes]) -> CheckResult:
    """Tell whether the key of fingerprints is there."""
    read()
    return CheckResult("sensitive values can be compared")


def check_secret(path: str, data: bytes, keyring: Keyring) -> CheckResult:
    """Tell whether a SOPS file can be opened with the keys at hand."""
    from provisioning.secrets.values import open_secrets

    open_secrets(data, path, keyring)
    return CheckResult("it can be decrypted")


def check_provider(provider: Provider) -> CheckResult:
    """Tell what the provider says of itself, and of what it works on."""
    kinds = ", ".join(kind.name for kind in call_provider(provider, provider.describe))
    if diagnoses := find_ability(provider, Diagnoses):
        for message, remedy in call_provider(provider, diagnoses.diagnose):
            return CheckResult(message, Health.DOUBTFUL, remedy)
    return CheckResult(f"serves {kinds}")


def check_live(reconciler: Reconciler) -> CheckResult:
    """Tell whether everything recorded can be looked at, and is as it was recorded."""
    found, infra = read_differences(reconciler), reconciler.infra
    if found.unreadable:
        name, reason = next(iter(found.unreadable.items()))
        more = f", and {len(found.unreadable) - 1} more" if len(found.unreadable) > 1 else ""
        told = f"{name} cannot be looked at: {reason}{more}"
        return CheckResult(told, Health.BAD, f"provisioning plan {infra}")
    if found.changed or found.missing:
        told = f"{len(found.changed)} drifted, {len(found.missing)} gone"
        return CheckResult(told, Health.DOUBTFUL, f"provisioning diff {infra}")
    return CheckResult("as it was recorded")

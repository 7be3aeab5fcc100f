"""Undoes a run: a new commit restores the desired state before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from provisioning.core.model.errors import InvalidArgument, PlanChanged, Source
from provisioning.core.model.ids import CommitId, ResourceId
from provisioning.core.model.records import Run, decode_record
from provisioning.core.model.resources import Resource
from provisioning.core.statelog.transitions import RUN, get_ref
from provisioning.gitstore.repository.revert import (
    compute_reverted,
    list_changed_paths,
    write_revert,
)
from provisioning.gitstore.statelog.entries import walk_entries
from provisioning.reconciler.explain.checkout import Checkout
from provisioning.reconciler.explain.replay import BegunRun

SHARED = ("config/", "secrets/", "extensions/")
"""Folders of the workspace that belong to the desired state of every infra."""

NO_SOURCE = Source("", 0)


class UndoPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The commit that undoes a run; no branch has it yet.

    `paths` are the files that it restores; `trailer` is the line of its message that names the
    run.
    """

    commit: CommitId
    before: CommitId
    paths: tuple[str, ...]
    message: str
    trailer: str

    @property
    def shared(self) -> tuple[str, ...]:
        """The restored files that other infras read, too."""
        return tuple(path for path in self.paths if path.startswith(SHARED))


def prepare_undo(
    infra: str,
    begun: BegunRun,
    previous: Run | None,
    *,
    then: Checkout,
    old: Checkout,
    now: Checkout,
) -> UndoPlan:
    """Write the commit that restores the desired state of *infra* before *begun*.

    *then* is the desired state of the run, *old* that of the run before it, *now* the newest one.

    Raises:
        InvalidArgument: If there is nothing to restore.
        PlanChanged: If resources that the run changed have changed again since.
    """
    number = begun.begin.run.partition("-")[0]
    shown = f"`provisioning replay {infra} {number}` shows what it did"
    if previous is None:
        raise InvalidArgument(
            f"run {number} was the first of {infra}: nothing was desired before it", hint=shown
        )
    paths = _list_paths(infra, then, old)
    if not paths:
        raise InvalidArgument(
            f"the desired state of {infra} is the same before and in run {number}: "
            f"{old.commit[:10]} and {then.commit[:10]}",
            hint=shown,
        )
    _check_resources(infra, number, begun, then=then, old=old, now=now)
    prefix = now.prefix
    changed = [prefix + path for path in paths]
    reverted = compute_reverted(
        now.repository, changed, before=old.commit, after=then.commit, head=now.commit
    )
    if reverted.conflicts:
        names = ", ".join(path.removeprefix(prefix) for path in reverted.conflicts)
        raise _build_conflict(
            f"{names} changed since run {number}, at the same lines", "", then, old, paths
        )
    if reverted.tree == now.repository.find_id(now.commit, ""):
        raise InvalidArgument(
            f"the desired state of {infra} is already that before run {number}",
            hint=f"`provisioning reconcile {infra}` applies it",
        )
    subject = then.repository.read_commit(then.commit).subject
    trailer = f"Undoes-Run: {infra} {begun.begin.run}"
    message = (
        f"Undo run {number} of {infra}: {subject}\n\n"
        f"Restores the desired state at {old.commit[:10]}.\n\n{trailer}\n"
    )
    commit = write_revert(now.repository, reverted.tree, now.commit, message)
    return UndoPlan(
        commit=commit, before=old.commit, paths=tuple(paths), message=message, trailer=trailer
    )


def _list_paths(infra: str, then: Checkout, old: Checkout) -> list[str]:
    """Return the changed files that belong to the desired state of *infra*."""
    named = then.list_named_files(infra) | old.list_named_files(infra)
    changed = list_changed_paths(then.repository, old.commit, then.commit)
    below = (path.removeprefix(then.prefix) for path in changed if path.startswith(then.prefix))
    return [
        path for path in below if path.startswith((f"infra/{infra}/", *SHARED)) or path in named
    ]


def _check_resources(
    infra: str, number: str, begun: BegunRun, *, then: Checkout, old: Checkout, now: Checkout
) -> None:
    """Refuse if resources that the run changed have changed again."""
    changed = set(find_changed(old.read_resources(infra), then.read_resources(infra)))
    since = set(find_changed(then.read_resources(infra), now.read_resources(infra)))
    undone = set(find_changed(old.read_resources(infra), now.read_resources(infra)))
    names = sorted(changed & since & undone)
    if not names:
        return
    changes = "; ".join(_describe_change(name, infra, now) for name in names)
    later = _find_later(infra, begun, names, now)
    hint = f"undo run {later} first, or " if later else ""
    message = f"{len(names)} of the resources of run {number} changed again since: {changes}"
    raise _build_conflict(message, hint, then, old, [f"infra/{infra}"])


def find_changed(
    one: Mapping[ResourceId, Resource], other: Mapping[ResourceId, Resource]
) -> Iterator[ResourceId]:
    """Yield the resources that differ between two desired states, apart from their places."""
    for name in sorted(one.keys() | other.keys()):
        if name not in one or name not in other or _strip(one[name]) != _strip(other[name]):
            yield name


def _strip(resource: Resource) -> Resource:
    holes = tuple(msgspec.structs.replace(item, line=0) for item in resource.templated)
    return msgspec.structs.replace(resource, source=NO_SOURCE, lines={}, templated=holes)


def _describe_change(name: ResourceId, infra: str, now: Checkout) -> str:
    resource = now.read_resources(infra).get(name)
    if resource is None:
        return f"{name} (removed)"
    by = now.find_last_author(resource.source.file)
    return f"{name} ({by.commit[:10]} {by.author}: {by.subject})" if by else str(name)


def _find_later(infra: str, begun: BegunRun, names: Sequence[str], now: Checkout) -> str | None:
    """Return the number of the newest run at another commit that changed one of *names*."""
    for entry in walk_entries(now.repository, now.repository.read_ref(get_ref(infra))):
        if entry.trailers.get("Run-Id") == begun.begin.run:
            return None
        data = now.repository.read_file(entry.id, RUN) if entry.is_record else None
        run = decode_record(data, Run) if data else None
        if (
            run
            and run.commit != begun.begin.commit
            and {change.id for change in run.changes} & {*names}
        ):
            return run.number
    return None


def _build_conflict(
    message: str, hint: str, then: Checkout, old: Checkout, paths: Sequence[str]
) -> PlanChanged:
    command = f"git diff {then.commit[:10]} {old.commit[:10]} -- {' '.join(paths)}"
    return PlanChanged(message, hint=f"{hint}restore them by hand: {command}")

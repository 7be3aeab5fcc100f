"""`log`, `fsck`, `events` and `replay`: the past, from the state logs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from provisioning.application.context import Context, InfraRequest
from provisioning.application.selection import find_only, select_infras

if TYPE_CHECKING:
    from provisioning.application.workspace.workspace import Workspace
    from provisioning.core.model.records import LogSnapshot
    from provisioning.core.statelog.fsck import Proof
    from provisioning.gitstore.objects.commits import Commit
    from provisioning.reconciler.explain.history import Follower, HistoryEvent
    from provisioning.reconciler.explain.replay import Replay

LONGEST_PAUSE = 5.0
"""Seconds between two reads of one who follows events, at most."""


class LogEntries(msgspec.Struct, frozen=True, kw_only=True):
    """Entries of a state log, newest first; `has_more` if older ones were left out."""

    infra: str
    entries: tuple[Commit, ...]
    has_more: bool


class LogProof(msgspec.Struct, frozen=True, kw_only=True):
    """The proof of a state log, and the snapshot that it begins with."""

    infra: str
    proof: Proof
    snapshot: LogSnapshot | None


class InfraReplay(msgspec.Struct, frozen=True, kw_only=True):
    """The plan of a past run, computed again."""

    infra: str
    replay: Replay


class LogRequest(InfraRequest[tuple[LogEntries, ...]], frozen=True, kw_only=True):
    """Read *limit* entries of the state log of *infra*, or of all; None for every entry."""

    limit: int | None = None


class FsckRequest(InfraRequest[tuple[LogProof, ...]], frozen=True, kw_only=True):
    """Prove the state log of *infra*, or of all."""


class EventsRequest(InfraRequest[Iterator[list["HistoryEvent"]]], frozen=True, kw_only=True):
    """Read the newest *limit* events of *infra*, or of each; with *follow*, go on."""

    limit: int = 50
    follow: bool = False


class ReplayRequest(InfraRequest[InfraReplay], frozen=True, kw_only=True):
    """Compute the plan of *run*, which may be its number, again from its inputs."""

    run: str


def log(request: LogRequest, context: Context) -> tuple[LogEntries, ...]:
    """Read entries of state logs."""
    found = []
    for state_log in select_infras(context.open_workspace(), request.infra).build_logs():
        entries = tuple(state_log.read_story(request.limit))
        has_more = bool(entries and entries[-1].parents)
        found.append(LogEntries(infra=state_log.infra, entries=entries, has_more=has_more))
    return tuple(found)


def fsck(request: FsckRequest, context: Context) -> tuple[LogProof, ...]:
    """Prove from its history that each state log is linear, fenced and complete."""
    from provisioning.core.statelog.fsck import prove

    return tuple(
        LogProof(
            infra=state_log.infra,
            proof=prove(state_log.read_history()),
            snapshot=state_log.read_local().snapshot,
        )
        for state_log in select_infras(context.open_workspace(), request.infra).build_logs()
    )


def events(request: EventsRequest, context: Context) -> Iterator[list[HistoryEvent]]:
    """Yield events by time; after those of the past, with *follow*, each batch of new ones.

    They come from the state log; of a run under way on this machine, from its journal.
    """
    workspace = context.open_workspace()
    followers: dict[str, Follower] = {}
    yield _read_events(workspace, request, followers)
    pause = min(workspace.commits.poll_interval, LONGEST_PAUSE)
    while request.follow:
        time.sleep(pause)
        yield _read_events(workspace, request, followers)


def _read_events(
    workspace: Workspace, request: EventsRequest, followers: dict[str, Follower]
) -> list[HistoryEvent]:
    from provisioning.reconciler.execution.lease import render_time
    from provisioning.reconciler.explain.history import Follower

    settings, repository = workspace.settings, workspace.commits.repository
    found = []
    for state_log in select_infras(workspace, request.infra).build_logs():
        infra = state_log.infra
        journals = settings.home.checkpoints / settings.identifier / infra
        if infra not in followers:
            followers[infra] = Follower(repository, journals, infra, request.limit)
        head = state_log.read_local().head
        found += followers[infra].read(head, render_time(time.time()))
    return sorted(found, key=lambda event: event.time)


def replay(request: ReplayRequest, context: Context) -> InfraReplay:
    """Compute the plan from Git alone: the same digest, or the reasons for another one."""
    from provisioning.reconciler.explain.replay import find_run, replay_run

    workspace = context.open_workspace()
    infra = find_only(select_infras(workspace, None).infras, request.infra)
    state_log = workspace.logs.build(infra)
    begun = find_run(workspace.commits.repository, state_log, request.run)
    reconciler = workspace.build_reconciler(infra, begun.begin.commit)
    return InfraReplay(infra=infra, replay=replay_run(reconciler, state_log, begun))

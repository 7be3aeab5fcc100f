"""Serves `Process`: found by its mark, started to outlive us, stopped as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from signal import Signals

from provisioning.core.model.errors import ProviderConflict, ProviderError
from provisioning.core.model.ids import Mark, ResourceId
from provisioning.core.model.providers import (
    Absent,
    Call,
    Observation,
    ObservationTarget,
    Observed,
    Present,
    ProbeReady,
    ProbeWaiting,
    Unreadable,
)
from provisioning.core.model.values import Tree, is_equal
from provisioning.providers.local.files.roots import Roots, enter
from provisioning.providers.local.kernel_errors import explain, translated
from provisioning.providers.local.kinds import STOP
from provisioning.providers.local.processes.children import Children
from provisioning.providers.local.processes.launch import find_program, start
from provisioning.providers.local.processes.notes import (
    ProcessFiles,
    ProcessNote,
    find_process_files,
)
from provisioning.providers.local.processes.probes import probe, read_last_lines
from provisioning.providers.local.processes.process_state import (
    ProcessRun,
    describe_started,
    find_run,
    list_stale,
)
from provisioning.providers.local.processes.procfs import (
    Member,
    find_group,
    find_members,
    read_seen,
)
from provisioning.providers.local.processes.termination import FORCE_SECONDS, stop_all

FIXED = ("command", "env", "cwd")
"""What cannot be changed while it runs."""


class Processes:
    """Serves `Process`; logs and exit statuses are kept below *home*."""

    def __init__(self, roots: Roots, home: Path) -> None:
        self._roots = roots
        self._home = home
        self._children = Children()

    # Looking

    def observe(self, owner: str, targets: Sequence[ObservationTarget]) -> Observed:
        """Look for *targets*, and for strays, among all processes at once."""
        self._children.reap()
        try:
            runs = self._find_runs(owner, targets)
        except OSError as exc:
            reason = explain("the processes of this machine", exc)
            return Observed(answers=[Unreadable(reason)] * len(targets))
        asked = {target.id for target in targets}
        return Observed(
            answers=[_answer(runs[target.id]) for target in targets],
            strays={
                name: Present(run.attributes, run.mark)
                for name, run in runs.items()
                if run and name not in asked
            },
        )

    def _find_runs(
        self, owner: str, targets: Sequence[ObservationTarget]
    ) -> dict[ResourceId, ProcessRun | None]:
        found: dict[ResourceId, list[Member]] = {target.id: [] for target in targets}
        for member in find_members(owner + "/"):
            found.setdefault(member.mark.resource, []).append(member)
        return {
            name: find_run(find_process_files(self._home, f"{owner}/{name}"), members)
            for name, members in found.items()
        }

    def _find(self, owner: str) -> ProcessRun | None:
        self._children.reap()
        return find_run(find_process_files(self._home, owner), _find_own(owner))

    # Changing

    def create(self, call: Call) -> Mapping[str, Tree]:
        """See `Provider.create`."""
        with translated(call.id):
            run = self._find(call.mark.owner)
            if run and not run.is_broken and run.started_as == str(call.mark):
                return run.attributes
            if run and run.leader:
                raise _build_conflict(call, run.mark, run.leader.pid)
            return self._start_anew(call)

    def update(self, call: Call) -> Mapping[str, Tree]:
        """See `Provider.update`; only what is fixed while it runs makes it start anew."""
        with translated(call.id):
            run = self._find(call.mark.owner)
            if run is None or run.is_broken or not _has_fixed(run, call.spec):
                return self._start_anew(call)
            self._stop_stale(call)
            process_files = find_process_files(self._home, call.mark.owner)
            process_files.make_folders()
            process_files.write_note(_build_note(call, run))
            changed = self._find(call.mark.owner)
            return changed.attributes if changed else self._start_anew(call)

    def delete(self, call: Call) -> None:
        """See `Provider.delete`."""
        with translated(call.id):
            other = self._find_seen(call)
            if other and other.mark.owner != call.mark.owner:
                raise _build_conflict(call, other.mark, other.seen.pid)
            self._stop(call.mark.owner, call)

    def _start_anew(self, call: Call) -> Mapping[str, Tree]:
        """Stop what runs of it, also what a moved one left under its old name; then start it."""
        where = self._roots.locate_folder(call.spec["cwd"])
        process_files = find_process_files(self._home, call.mark.owner)
        process_files.make_folders()
        try:
            with self._roots.open(where, make=enter) as folder:
                inside = Path(f"/proc/self/fd/{folder}")
                find_program(call.spec, inside)
                self._stop_all_of(call)
                return self._start(call, inside, process_files)
        except FileNotFoundError as exc:
            raise ProviderError(
                f"{call.id}: its working directory {where} is not there",
                hint="write a Directory for it, and refer to that in `cwd`",
            ) from exc

    def _start(self, call: Call, inside: Path, process_files: ProcessFiles) -> Mapping[str, Tree]:
        process_files.write_note(_build_note(call, None))
        seen = start(call, inside, process_files)
        self._children.add(seen.pid)
        return describe_started(call.spec, process_files, seen)

    def _stop_all_of(self, call: Call) -> None:
        other = self._find_seen(call)
        if other and call.may_take(other.mark.owner):
            self._stop(other.mark.owner, call)
        self._stop(call.mark.owner, call)

    def _stop(self, owner: str, call: Call) -> None:
        process_files, members = find_process_files(self._home, owner), _find_own(owner)
        if members:
            run = find_run(process_files, members)
            said = (run and run.attributes.get("stop")) or call.attributes.get("stop") or {}
            _end(partial(_find_own, owner), said, call)
        self._children.reap()
        process_files.remove()

    def _stop_stale(self, call: Call) -> None:
        """Stop what another run has started beside the newest."""

        def find() -> list[Member]:
            return list_stale(_find_own(call.mark.owner))

        if find():
            _end(find, call.spec["stop"], call)
            self._children.reap()

    def _find_seen(self, call: Call) -> Member | None:
        """Find the very process that the call speaks of, whatever mark it bears."""
        pid, started = call.attributes.get("pid"), call.attributes.get("started")
        members = find_members("") if pid else []
        exact = (
            member for member in members if (member.seen.pid, member.seen.started) == (pid, started)
        )
        return next(exact, None)

    # Probing

    def probe(self, attributes: Mapping[str, Tree]) -> ProbeReady | ProbeWaiting:
        """See `Probes.probe`; a program that was to end and did so with 0 is ready."""
        pid = attributes.get("pid")
        seen = read_seen(pid) if pid else None
        if seen is None or seen.started != attributes["started"]:
            return self._judge_ended(attributes)
        where = self._roots.locate_folder(attributes["cwd"])
        with translated("the probe"), self._roots.open(where) as folder:
            return probe(attributes, Path(f"/proc/self/fd/{folder}"))

    def _judge_ended(self, attributes: Mapping[str, Tree]) -> ProbeReady:
        self._children.reap()
        code = attributes.get("exit_code")
        code = self._children.get_code(attributes.get("pid")) if code is None else code
        if code == 0 and attributes.get("restart") != "always":
            return ProbeReady()
        status = "" if code is None else f" with exit code {code}"
        raise ProviderError(
            f"the process has ended{status}{read_last_lines(Path(attributes['log']))}",
            hint=f"its whole output is in {attributes['log']}",
        )


def _find_own(owner: str) -> list[Member]:
    return [member for member in find_members(owner) if member.mark.owner == owner]


def _end(find: Callable[[], list[Member]], said: Mapping[str, Tree], call: Call) -> None:
    """End what *find* finds, in the way that is *said* and in the time that *call* has."""
    stop = {**STOP, **said}
    grace = min(float(stop["grace"]), max(0.0, call.deadline - FORCE_SECONDS))
    stop_all(partial(find_group, find), Signals[f"SIG{stop['signal']}"], grace)


def _answer(run: ProcessRun | None) -> Observation:
    return Present(run.attributes, run.mark) if run else Absent()


def _has_fixed(run: ProcessRun, spec: Mapping[str, Tree]) -> bool:
    known = [name for name in FIXED if name in run.attributes]
    return all(is_equal(run.attributes[name], spec[name]) for name in known)


def _build_note(call: Call, run: ProcessRun | None) -> ProcessNote:
    """Write down what *call* asks for beyond what the *run* was started with, if it goes on."""
    spec = call.spec
    is_same = run is None or is_equal(run.attributes.get("ready"), spec.get("ready"))
    return ProcessNote(
        started_as=run.started_as if run else str(call.mark),
        mark=str(call.mark),
        restart=spec["restart"],
        stop=spec["stop"],
        timeout=spec["timeout"],
        is_ready_changed=not is_same or bool(run and run.is_ready_changed),
    )


def _build_conflict(call: Call, mark: Mark, pid: int) -> ProviderConflict:
    return ProviderConflict(
        f"{call.id}: process {pid} bears the mark {mark}",
        hint="plan again, and look at what changed",
    )

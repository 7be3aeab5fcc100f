"""A whole reconciler on an in-memory world and state log: real decisions, no disk but a journal."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path

import msgspec
from memory_statelogs import MemoryStateLog, SharedBranch

from provisioning.core.expressions.interpolation import Reference
from provisioning.core.model.errors import InvalidManifest, Source
from provisioning.core.model.ids import BlobId, CommitId, ResourceId
from provisioning.core.model.providers import Provider
from provisioning.core.model.records import Holder, Lock, Record
from provisioning.core.model.resources import Resource
from provisioning.core.model.states import DesiredState
from provisioning.core.model.values import Tree
from provisioning.core.policy.approvals import ReviewedEffects
from provisioning.core.policy.builtin_gates import GATES
from provisioning.core.scheduling.rate_limits import Limits, RetryPolicy
from provisioning.core.statelog.lock_expiry import LockStatus, compute_lock_status
from provisioning.reconciler.context import InfraContext
from provisioning.reconciler.cycle import Reconciler
from provisioning.reconciler.events import Event
from provisioning.reconciler.execution.cancellation import Cancellation
from provisioning.reconciler.execution.lease import Clocks
from provisioning.reconciler.execution.runner import Runner
from provisioning.reconciler.gatekeeper import Gatekeeper
from provisioning.reconciler.planning.cross_infra import CrossInfra
from provisioning.reconciler.planning.plan_result import PlanResult, Report, RunRequest, Settings
from provisioning.reconciler.planning.planner import Planner
from provisioning.testing.memory import MemoryProvider
from provisioning.testing.worlds import World

INFRA, WORKSPACE = "web", "0198f3c2"


class MemoryManifest(msgspec.Struct, frozen=True):
    """See `provisioning.reconciler.planning.planner.Manifest`."""

    resource: Resource

    @property
    def blob(self) -> BlobId:
        """See `Manifest.blob`."""
        return BlobId(hashlib.sha256(msgspec.msgpack.encode(self.resource)).hexdigest())

    def read(self) -> tuple[Resource]:
        """See `Manifest.read`."""
        return (self.resource,)


class Commits:
    """Desired states by commit, in the order in which they were committed."""

    def __init__(self) -> None:
        self._states: dict[CommitId, tuple[Resource, ...]] = {}

    def has_object(self, name: str) -> bool:
        """Tell whether the commit is here."""
        return name in self._states

    def read_newest(self) -> tuple[Resource, ...]:
        """Return the desired state that was committed last."""
        return next(reversed(self._states.values()), ())

    def commit(self, *resources: Resource) -> CommitId:
        """Make *resources* the desired state of a new commit."""
        name = CommitId(f"{len(self._states) + 1:040x}")
        self._states[name] = resources
        return name

    def read_manifests(self, commit: CommitId, infra: str) -> Mapping[str, MemoryManifest]:
        """See `Manifests.read_manifests`: each resource is a file of its own."""
        del infra
        state = enumerate(self._states[commit])
        return {f"{number}.yaml": MemoryManifest(resource) for number, resource in state}

    def read_files(self, commit: CommitId, desired: DesiredState) -> Mapping[str, bytes]:
        """See `Manifests.read_files`; a sandbox has no files."""
        del commit, desired
        return {}

    def is_ancestor(self, old: CommitId, new: CommitId) -> bool:
        """See `History.is_ancestor`."""
        return old <= new


class Neighbouring(msgspec.Struct, frozen=True):
    """See `reconciler.planning.cross_infra.Claims`: each infra as it was committed last."""

    sandboxes: Mapping[str, Sandbox]

    def list_infras(self, commit: CommitId) -> list[str]:
        """See `Claims.list_infras`."""
        del commit
        return sorted(self.sandboxes)

    def compile(self, commit: CommitId, infra: str) -> list[Resource]:
        """See `Claims.compile`."""
        del commit
        return list(self.sandboxes[infra].commits.read_newest())

    def list_claims(self, commit: CommitId, infra: str) -> list[Resource]:
        """See `Claims.list_claims`."""
        return [item for item in self.compile(commit, infra) if item.moved_infra]


class Sandbox:
    """One infra, as seen from one machine; several may share *world*, *branch*, *commits*.

    Attributes:
        cross_infra: The sandboxes of the workspace's other infras, by name.
        world: The fake cloud.
        branch: The state log's branch.
        commits: The workspace's main branch.
        events: Everything runs told.
        gone: The holders' processes that have ended, by host and pid.
        stop: Asks its runs to stop.
        seen_for: For how many seconds any lock was seen unchanged.
        is_superseded: Whether a newer commit has come.
        reviewed: What was reviewed, if anybody asks for reviews.
        clocks: The clocks of its runs.
    """

    def __init__(
        self,
        home: Path,
        *,
        world: World | None = None,
        branch: SharedBranch | None = None,
        commits: Commits | None = None,
        provider: Provider | None = None,
        pid: int = 1,
        host: str = "here",
        infra: str = INFRA,
    ) -> None:
        self.infra = infra
        self.cross_infra: dict[str, Sandbox] = {}
        self.world = world or World()
        self.branch = branch or SharedBranch()
        self.commits = commits or Commits()
        self.events: list[Event] = []
        self.gone: set[tuple[str, int]] = set()
        self.stop = Cancellation()
        self.provider = provider or MemoryProvider(self.world)
        self.log = MemoryStateLog(infra, self.branch)
        self.seen_for = 0.0
        self.is_superseded = False
        self.reviewed: ReviewedEffects | None = None
        self.clocks = Clocks()
        self._home = home
        self._holder = Holder(user="ana", host=host, boot=host, pid=pid, started=1)
        self._nonces = count(pid * 1000)

    def build_reconciler(
        self, *, parallelism: int = 1, attempts: int = 3, **changes: object
    ) -> Reconciler:
        """Join a reconciler whose retries do not wait; *changes* are of its `InfraContext`."""
        limits = Limits(
            parallelism=parallelism,
            per_provider=parallelism,
            retries=RetryPolicy(max_attempts=attempts, base=0.0),
        )
        context = InfraContext(
            infra=self.infra,
            workspace=WORKSPACE,
            log=self.log,
            kinds={kind.name: kind for kind in self.provider.describe()},
            providers={self.provider.name: self.provider},
            key=b"k" * 32,
            journals=self._home / "journals",
            settings=Settings(lock_ttl=600.0, timeout=30.0, limits=limits),
            clocks=self.clocks,
        )
        context = msgspec.structs.replace(context, **changes)
        return Reconciler(
            context=context,
            planner=Planner(
                context=context,
                compiler=self.commits,
                lookup=_refuse,
                plan_cache=self._home / "settled.msgpack",
                cross_infra=CrossInfra(
                    infra=self.infra,
                    claims=Neighbouring(self.cross_infra),
                    open_log=lambda name: (
                        self.cross_infra[name].log
                        if name in self.cross_infra
                        else MemoryStateLog(name, SharedBranch())
                    ),
                ),
            ),
            gatekeeper=Gatekeeper(
                context=context,
                history=self.commits,
                judge=self.judge,
                read_reviewed=lambda *_: self.reviewed,
                gates=GATES,
            ),
            runner=Runner(
                context=context,
                holder=self._holder,
                nonce=lambda: next(self._nonces).to_bytes(3, "big"),
                stop=self.stop,
                is_superseded=lambda _: self.is_superseded,
                listener=self.events.append,
            ),
        )

    def judge(self, lock: Lock) -> LockStatus:
        """Judge a lock: processes in `gone` have ended, others were seen for `seen_for` seconds."""
        is_gone = (lock.holder.host, lock.holder.pid) in self.gone
        return compute_lock_status(lock, is_gone=is_gone, seen_for=self.seen_for)

    def look(self, commit: CommitId, *, allow: Sequence[str] = ()) -> PlanResult:
        """Plan *commit*."""
        return self.build_reconciler().plan(RunRequest(commit=commit, reason="test", allow=allow))

    def reconcile(
        self, commit: CommitId, *, allow: Sequence[str] = (), parallelism: int = 1
    ) -> Report:
        """Make the world what *commit* asks for."""
        request = RunRequest(commit=commit, reason="test", allow=allow)
        return self.build_reconciler(parallelism=parallelism).reconcile(request)

    def die(self) -> None:
        """Let everybody on this machine see that this sandbox's process has ended."""
        self.gone.add((self._holder.host, self._holder.pid))

    def read_records(self) -> dict[ResourceId, Record]:
        """Return what the state log has now."""
        return self.log.read_records(self.log.read())


def build_resource(
    name: str,
    spec: Mapping[str, Tree] | None = None,
    *,
    depends_on: Sequence[str] = (),
    **more: Tree,
) -> Resource:
    """Build a resource of the in-memory provider; `build_resource("Thing/a", {"size": 1})`."""
    from provisioning.core.expressions.interpolation import find_templated, parse_text
    from provisioning.core.model.resources import Templated

    holes = list(find_templated(dict(spec or {})))
    parts = [part for _, text in holes for part in parse_text(text)]
    found = [part.resource for part in parts if isinstance(part, Reference) and part.resource]
    return Resource(
        id=ResourceId(name),
        kind=name.partition("/")[0],
        provider=MemoryProvider.name,
        source=Source("infra/web/all.yaml", 1),
        spec=dict(spec or {}),
        depends_on=tuple(ResourceId(item) for item in depends_on),
        references=tuple(dict.fromkeys(found)),
        templated=tuple(Templated(path, 1) for path, _ in holes),
        **more,
    )


def _refuse(reference: Reference, source: Source) -> Tree:
    raise InvalidManifest(f"a sandbox has no {reference.namespace}", source=source)

"""Reads the other infras of a workspace, as far as resources move between them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol

import msgspec

from provisioning.core.model.errors import InvalidManifest, ProvisioningError
from provisioning.core.model.ids import CommitId, ResourceId
from provisioning.core.model.resources import Resource
from provisioning.core.model.states import CrossInfraMove, MoveOrigin
from provisioning.core.model.values import find_nearest
from provisioning.gitstore.statelog.git_statelog import StateLog


class Claims(Protocol):
    """Read the manifests of infras; `Compiler` is the implementation that reads Git."""

    def list_infras(self, commit: CommitId) -> list[str]:
        """Return the names of the infras at *commit*."""

    def compile(self, commit: CommitId, infra: str) -> list[Resource]:
        """Return what *infra* asks for at *commit*."""

    def list_claims(self, commit: CommitId, infra: str) -> list[Resource]:
        """Return what *infra* asks for at *commit* that comes from another one."""


class CrossInfra(msgspec.Struct, frozen=True, kw_only=True):
    """The other infras, by their manifests and state logs."""

    infra: str
    claims: Claims
    open_log: Callable[[str], StateLog]

    def find_origins(
        self, commit: CommitId, resources: Iterable[Resource]
    ) -> Mapping[ResourceId, MoveOrigin]:
        """Return, for those of *resources* that come from another infra, what that recorded."""
        found: dict[ResourceId, MoveOrigin] = {}
        for resource in resources:
            if resource.moved_infra is None or resource.moved_from is None:
                continue
            log = self.open_log(resource.moved_infra)
            view = log.read_local()
            if view.head is None:
                self._check_infra(commit, resource)
                continue
            record = log.open_records(view).get(resource.moved_from)
            if record is None:
                continue
            infra = resource.moved_infra
            problem, hint = "", f"`provisioning reconcile {infra}` goes first"
            if view.is_cut_off:
                problem = f"a run of {infra} has begun and not ended"
            elif there := self._find_defined(commit, infra, resource.moved_from):
                problem = f"{infra} still defines {resource.moved_from} at {there.source}"
                hint = "remove `moved`, or the old definition"
            found[resource.id] = MoveOrigin(infra=infra, record=record, trouble=problem, hint=hint)
        return found

    def _check_infra(self, commit: CommitId, resource: Resource) -> None:
        """Refuse a slip in the infra's name: what is moved from nowhere would be made anew."""
        known = self.claims.list_infras(commit)
        if resource.moved_infra in known:
            return
        nearest = find_nearest(str(resource.moved_infra), known)
        raise InvalidManifest(
            f"{resource.id} says it was in infra {resource.moved_infra!r}, and there is none",
            hint=f"did you mean {nearest!r}?" if nearest else "remove `moved`",
            source=resource.source,
        )

    def _find_defined(self, commit: CommitId, infra: str, name: ResourceId) -> Resource | None:
        if infra not in self.claims.list_infras(commit):
            return None
        found = self.claims.compile(commit, infra)
        return next((item for item in found if item.id == name), None)

    def find_moves(
        self, commit: CommitId, names: Collection[ResourceId]
    ) -> Mapping[ResourceId, CrossInfraMove]:
        """Return the move of each of *names* that another infra asks for at *commit*.

        An infra that cannot be read may ask for any of them.
        """
        found: dict[ResourceId, CrossInfraMove] = {}
        for infra in self.claims.list_infras(commit) if names else ():
            if infra == self.infra:
                continue
            try:
                claims = self.claims.list_claims(commit, infra)
            except ProvisioningError:  # its own run reports what is wrong with it
                unknown = CrossInfraMove(infra=infra, name=None, is_taken=False)
                found = {**dict.fromkeys(names, unknown), **found}
                continue
            wanted = [item for item in claims if item.moved_infra == self.infra]
            for claim in (item for item in wanted if item.moved_from in names):
                log = self.open_log(infra)
                record = log.open_records(log.read_local()).get(claim.id)
                found[ResourceId(str(claim.moved_from))] = CrossInfraMove(
                    infra=infra, name=claim.id, is_taken=record is not None, source=claim.source
                )
        return found

"""One opened workspace, joined from its parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from provisioning.application.workspace.commits import WorkspaceCommits
from provisioning.application.workspace.forge_access import ForgeAccess
from provisioning.application.workspace.shared_state import SharedState
from provisioning.application.workspace.state_logs import StateLogs
from provisioning.application.workspace.workspace_settings import WorkspaceSettings
from provisioning.config.layers import Layers
from provisioning.config.scope import WrittenScope
from provisioning.core.expressions.references import Lookup
from provisioning.core.infras.dependencies import NO_LINKS, Links, compute_links
from provisioning.core.infras.order import Needs, compute_needs
from provisioning.core.model.errors import ProvisioningError
from provisioning.core.model.ids import CommitId
from provisioning.core.model.kinds import Kind, build_kinds
from provisioning.core.model.providers import Provider
from provisioning.core.model.redaction import Redactor
from provisioning.core.model.resources import Resource
from provisioning.reconciler.cycle import Reconciler
from provisioning.reconciler.events import Listener
from provisioning.reconciler.execution.cancellation import Cancellation
from provisioning.reconciler.planning.compiler import Compiler

if TYPE_CHECKING:
    from provisioning.application.setup.forge import ForgeSetup
    from provisioning.reconciler.explain.checkout import Checkout
    from provisioning.reconciler.operations.propose import Proposer
    from provisioning.reconciler.reviews.reviewer import Reviewer


class Builders(msgspec.Struct, frozen=True, kw_only=True):
    """The functions with which `bootstrap` joins what a workspace needs, each when it is needed.

    `reconciler` takes what `Workspace.build_reconciler` does. `lookup` builds the value resolver
    for the interpolations of an infra at a commit. `forge_setup` takes the webhook's address.
    """

    providers: Callable[[Workspace, Layers], Sequence[Provider]]
    lookup: Callable[[Workspace, CommitId, str, CommitId | None], Lookup]
    reconciler: Callable[..., Reconciler]
    reviewer: Callable[[Workspace], Reviewer]
    proposer: Callable[[Workspace], Proposer]
    forge_setup: Callable[[Workspace, str | None], ForgeSetup]


class Workspace(msgspec.Struct, frozen=True, kw_only=True):
    """One workspace, opened: its infras, their state logs, and what plans and applies them."""

    settings: WorkspaceSettings
    forge: ForgeAccess
    commits: WorkspaceCommits
    logs: StateLogs
    shared: SharedState
    builders: Builders

    @property
    def redactor(self) -> Redactor:
        """Knows every secret that was read for this workspace."""
        return self.shared.redactor

    def choose_infras(
        self, commit: CommitId, infra: str | None, *, recorded: bool = False
    ) -> list[str]:
        """Return the infras to work on: *infra*, or all.

        An infra counts if it is at *commit*, or if it is gone there and something of it is
        still recorded; with *recorded* also if it has no more than a state log.

        Raises:
            InvalidArgument: If *infra* is none.
        """
        compiler = self.build_compiler({})
        known = self.logs.list_infras(with_records=not recorded)
        names = sorted({*compiler.list_infras(commit), *known})
        if infra is None:
            return names
        if infra not in names:
            compiler.check_infra(commit, infra)
        return [infra]

    def list_infras(self, commit: CommitId) -> list[str]:
        """Return the names of the infras at *commit*, sorted."""
        return self.build_compiler({}).list_infras(commit)

    def compile(self, commit: CommitId, infra: str) -> list[Resource]:
        """Read the manifests of *infra* at *commit*, without resolving values or secrets."""
        kinds = self._list_kinds(self.commits.load_layers(commit, infra))
        return self.build_compiler(kinds).compile(commit, infra)

    def compile_untrusted(self, base: CommitId, commit: CommitId, infra: str) -> list[Resource]:
        """Read the manifests of *infra* at *commit*, which nobody may trust.

        The kinds are those of *base*; of the commit's settings only the texts are used.
        """
        kinds = self._list_kinds(self.commits.load_layers(base, None))
        compiler = self._build_compiler(
            kinds,
            "untrusted",
            lambda commit, infra: WrittenScope(self.commits.load_written_layers(commit, infra)),
        )
        return compiler.compile(commit, infra)

    def compute_links(self, commit: CommitId, infra: str) -> Links:
        """Return what links *infra* to others at *commit*."""
        layers = self.commits.load_layers
        return compute_links(
            self.compile(commit, infra), lambda: layers(commit, infra).list_references()
        )

    def read_needs(self, commit: CommitId, infras: Sequence[str]) -> Needs:
        """Return which of *infras* refer to which at *commit*; one that is broken to none.

        Raises:
            DependencyCycle: If they refer to each other in a cycle.
        """
        links: dict[str, Links] = {}
        for infra in infras:
            try:
                links[infra] = self.compute_links(commit, infra)
            except ProvisioningError:  # its own run reports what is wrong with it
                links[infra] = NO_LINKS
        return compute_needs(links)

    def _list_kinds(self, layers: Layers) -> dict[str, Kind]:
        providers = self.builders.providers(self, layers)
        return build_kinds(kind for provider in providers for kind in provider.describe())

    def build_compiler(
        self, kinds: Mapping[str, Kind], folder: str = "", base: CommitId | None = None
    ) -> Compiler:
        """Join the compiler of manifests; *folder* separates its cache from that of runs.

        The commits that it compiles are only proposed to *base*, if that is given.
        """
        return self._build_compiler(
            kinds, folder, lambda commit, infra: self.builders.lookup(self, commit, infra, base)
        )

    def _build_compiler(
        self,
        kinds: Mapping[str, Kind],
        folder: str,
        build_lookup: Callable[[CommitId, str], Lookup],
    ) -> Compiler:
        cache: Path = self.settings.home.compiled / self.settings.identifier / folder
        return Compiler(
            self.commits.repository,
            kinds,
            cache,
            prefix=self.commits.prefix,
            build_lookup=build_lookup,
        )

    def build_checkout(self, commit: CommitId) -> Checkout:
        """Join *commit* as it can be asked for resources, settings, files and authors."""
        from provisioning.reconciler.explain.checkout import Checkout

        kinds = self._list_kinds(self.commits.load_layers(commit, None))
        return Checkout(
            repository=self.commits.repository,
            prefix=self.commits.prefix,
            commit=commit,
            compiler=self.build_compiler(kinds, "checkout"),
            kinds=kinds,
            load_layers=lambda infra: self.commits.load_layers(commit, infra),
        )

    def build_reconciler(
        self,
        infra: str,
        commit: CommitId,
        *,
        stop: Cancellation | None = None,
        listener: Listener | None = None,
        base: CommitId | None = None,
        waits_for_windows: bool = True,
    ) -> Reconciler:
        """Join the reconciler of *infra* with the settings of *commit*.

        If *commit* is only proposed to *base*, the settings are those of *base*, and no earlier
        review counts.
        """
        return self.builders.reconciler(
            self,
            infra,
            commit,
            stop=stop,
            listener=listener,
            base=base,
            waits_for_windows=waits_for_windows,
        )

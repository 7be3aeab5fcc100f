"""The place of a workspace, and the settings of its work tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from provisioning.config.home import Home
from provisioning.config.layers import (
    WORKSPACE_FILE,
    Layers,
    Read,
    load_layers,
    load_proposed_layers,
    load_written_layers,
)
from provisioning.core.model.errors import InvalidConfiguration, Source


@dataclass
class WorkspaceSettings:
    """The folder, home, environment and flags of a workspace, and its settings.

    Desired state and settings of a run come from a commit, never from the work tree; the work
    tree's `config/provisioning.yaml` only says where these are.
    """

    root: Path
    home: Home
    environ: Mapping[str, str] = field(repr=False)
    flags: Sequence[str]

    @cached_property
    def layers(self) -> Layers:
        """The settings as the work tree has them."""
        return self.load(self.read_work_tree, None)

    def load_proposed(self, read: Read, proposed: Read, infra: str | None) -> Layers:
        """Load those of the files that *read* returns, with the `values` of *proposed*."""
        return load_proposed_layers(
            read,
            proposed,
            home=self.home.path,
            infra=infra,
            environ=self.environ,
            flags=self.flags,
        )

    def load_written(self, read: Read, infra: str | None) -> Layers:
        """Load the settings of *infra* as the files that *read* returns write them."""
        return load_written_layers(read, home=self.home.path, infra=infra)

    def load(self, read: Read, infra: str | None) -> Layers:
        """Load the settings of *infra* from the files that *read* returns."""
        return load_layers(
            read, home=self.home.path, infra=infra, environ=self.environ, flags=self.flags
        )

    def read_work_tree(self, path: str) -> bytes | None:
        """Return the file at *path* as it lies in the work tree; None if there is none."""
        file = self.root / path
        return file.read_bytes() if file.is_file() else None

    @property
    def identifier(self) -> str:
        """The workspace's id.

        Raises:
            InvalidConfiguration: If it has none.
        """
        value = str(self.layers.get("workspace.id").value)
        if not value or "/" in value or "#" in value:
            raise InvalidConfiguration(
                f"workspace.id is {value!r}, and must be a name without / and #",
                hint="`provisioning workspace init` writes a new one; use an id nobody else has",
                source=Source(WORKSPACE_FILE, 1),
            )
        return value

    @property
    def branch(self) -> str:
        """The branch that desired state is read from."""
        return str(self.layers.get("branch").value)

    @property
    def parallel_infras(self) -> int:
        """The number of infras that are worked on at once."""
        return int(self.layers.get("executor.infras").value)

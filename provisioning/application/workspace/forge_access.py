"""Access to the forge of a workspace: the repository there, and its token."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from provisioning.application.workspace.shared_state import SharedState
from provisioning.application.workspace.workspace_settings import WorkspaceSettings
from provisioning.config.layers import WORKSPACE_FILE
from provisioning.core.model.errors import InvalidConfiguration

if TYPE_CHECKING:
    from provisioning.core.reviews.forge import Token
    from provisioning.forges.registry import ForgeRepository
    from provisioning.forges.tokens import TokenFile


@dataclass
class ForgeAccess:
    """The forge that the settings name; it is asked only when a member is used."""

    settings: WorkspaceSettings
    shared: SharedState

    @cached_property
    def repository(self) -> ForgeRepository | None:
        """The repository at its forge, if the settings name one; nothing is sent to it yet."""
        kind = self.settings.layers.get("forge.kind").value
        if kind is None:
            return None
        from provisioning.forges.registry import find_forge

        url, repository = self._read("url"), self._read("repository")
        forges, key = self.shared.forges, (kind, url, repository, self._read("token_file"))
        if key not in forges:
            forges[key] = find_forge(kind).open(url, repository, self.token)
        return forges[key]

    @cached_property
    def token(self) -> Token:
        """Reads the forge's token from its file."""
        return self.build_token_file("token_file").read

    def read_review_key(self) -> bytes:
        """Return the key that signs stored reviews, which is made at its first use."""
        return self.build_token_file("review_key_file").read_or_make().encode()

    def build_token_file(self, key: str) -> TokenFile:
        """Return the file that the setting `forge.`*key* names."""
        from provisioning.forges.tokens import TokenFile

        root = self.settings.root
        path = self.settings.home.path / Path(self._read(key)).expanduser()
        folders = (root, *root.parents)
        top = next((folder for folder in folders if (folder / ".git").exists()), root)
        return TokenFile(path, top, self.shared.redactor, f"forge.{key}")

    def require(self, absent: str) -> ForgeRepository:
        """Return the repository at its forge; the error's message says what is *absent* without.

        Raises:
            InvalidConfiguration: If the settings name none.
        """
        if self.repository is None:
            raise InvalidConfiguration(
                f"forge.kind is not set, so {absent}",
                hint="set forge.kind, url, repository and token_file in config/provisioning.yaml",
            )
        return self.repository

    def _read(self, key: str) -> str:
        value = self.settings.layers.get(f"forge.{key}").value
        if not value:
            raise InvalidConfiguration(
                f"forge.kind is set, and forge.{key} is not",
                hint=f"set forge.{key} in {WORKSPACE_FILE}",
                source=self.settings.layers.get("forge.kind").origin.source,
            )
        return str(value)

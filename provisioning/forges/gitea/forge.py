"""Gitea as a registered forge: each of its roles is imported when it is first used."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from provisioning.core.model.errors import InvalidConfiguration
from provisioning.forges.registry import ForgeKind, RepositoryRules

if TYPE_CHECKING:
    from provisioning.core.reviews.forge import Contents, Forge, Token
    from provisioning.forges.gitea.api import GiteaApi
    from provisioning.forges.webhooks import HookFormat

_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


class GiteaRepository:
    """The repository *repository* of the Gitea at *url*; see `ForgeRepository`."""

    def __init__(self, url: str, repository: str, token: Token) -> None:
        from provisioning.forges.gitea.api import GiteaApi

        if not _REPOSITORY.fullmatch(repository):
            raise InvalidConfiguration(
                f"forge.repository is {repository!r}", hint="write it as OWNER/NAME"
            )
        self._api: GiteaApi = GiteaApi(url, token)
        self.url = self._api.url
        self.repository = repository
        self.git_url = f"{self.url}/{repository}.git"

    @cached_property
    def contents(self) -> Contents:
        from provisioning.forges.gitea.contents import GiteaContents

        return GiteaContents(self._api, self.repository)

    @cached_property
    def pulls(self) -> Forge:
        from provisioning.forges.gitea.pulls import GiteaPulls

        return GiteaPulls(self._api, self.repository)

    def build_rules(self, secret: Token) -> RepositoryRules:
        from provisioning.forges.gitea.rules import GiteaRules

        return GiteaRules(self._api, self.repository, secret)

    def close(self) -> None:
        self._api.close()


def _load_hooks() -> HookFormat:
    from provisioning.forges.gitea.webhooks import FORMAT

    return FORMAT


FORGE = ForgeKind(name="gitea", open=GiteaRepository, load_hooks=_load_hooks)

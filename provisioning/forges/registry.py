"""The registry of forges: each is one value, looked up by the setting `forge.kind`.

A forge of this program is a package here with a module `forge`, which is imported only when a
workspace names it; its name is the package's. A package that the operator installed registers a
forge by an entry point of the group `provisioning.forges`.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from provisioning.config.entry_points import list_entry_points
from provisioning.core.model.errors import InvalidConfiguration
from provisioning.core.model.values import find_nearest

if TYPE_CHECKING:
    from provisioning.core.reviews.forge import Contents, Forge, Token
    from provisioning.forges.setup.facts import Facts
    from provisioning.forges.setup.findings import Change
    from provisioning.forges.webhooks import HookFormat


class RepositoryRules(Protocol):
    """The rules of a repository at its forge: protected branches, webhooks, labels."""

    def read_facts(self, branch: str) -> Facts:
        """Return the facts of the repository, as far as the forge shows them."""

    def apply(self, change: Change) -> None:
        """Make one change."""


class ForgeRepository(Protocol):
    """One repository at a forge, in every role that the forge plays. Any thread may use it."""

    url: str
    """The forge's address."""
    repository: str
    """`OWNER/NAME`."""
    git_url: str
    """The address for Git."""

    @property
    def contents(self) -> Contents:
        """The files of the repository, written through the API: for the lock backend."""

    @property
    def pulls(self) -> Forge:
        """The pull requests."""

    def build_rules(self, secret: Token) -> RepositoryRules:
        """Join the rules; *secret* reads the secret that signs webhooks."""

    def close(self) -> None:
        """Close the connections."""


class ForgeKind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of forge.

    Args:
        name: The value of `forge.kind`.
        open: Opens a repository by the forge's address, `OWNER/NAME` and a reader of the token.
            It sends nothing yet, and raises `InvalidConfiguration` if one of them is malformed.
        load_hooks: Returns the format of its webhooks; None if it sends none.
    """

    name: str
    open: Callable[[str, str, Token], ForgeRepository]
    load_hooks: Callable[[], HookFormat] | None = None


def list_forge_names() -> list[str]:
    """Return the name of every registered forge; none of them is imported."""
    with os.scandir(Path(__file__).parent) as entries:
        names = [entry.name for entry in entries if Path(entry.path, "forge.py").exists()]
    return sorted({*names, *(point.name for point in list_entry_points("forges"))})


def list_hook_formats() -> list[HookFormat]:
    """Return the format of the webhooks of every registered forge that sends any.

    Raises:
        InvalidConfiguration: If the package of a forge cannot be loaded.
    """
    kinds = map(find_forge, list_forge_names())
    return [kind.load_hooks() for kind in kinds if kind.load_hooks]


def find_forge(name: str) -> ForgeKind:
    """Return the forge called *name*.

    Raises:
        InvalidConfiguration: If there is none, or its package cannot be loaded.
    """
    for point in list_entry_points("forges"):
        if point.name == name:
            return point.load(ForgeKind)
    names = list_forge_names()
    if name not in names:
        nearest = find_nearest(name, names)
        raise InvalidConfiguration(
            f"there is no forge {name!r}",
            hint=f"did you mean {nearest!r}?" if nearest else f"known are {', '.join(names)}",
        )
    package = __name__.rpartition(".")[0]
    kind: ForgeKind = importlib.import_module(f"{package}.{name}.forge").FORGE
    return kind

"""Registers the local provider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from provisioning.core.model.kinds import Kind
from provisioning.core.model.providers import Provider
from provisioning.core.model.values import Tree
from provisioning.providers.registry import ProviderType, Workplace


def list_kinds() -> Sequence[Kind]:
    """Return the four kinds."""
    from provisioning.providers.local.kinds import KINDS

    return KINDS


def locate(settings: Mapping[str, Tree]) -> Mapping[str, Tree]:
    """Return the root, as it is configured: the same in each clone of the workspace."""
    return {"root": str(settings["root"])}


def connect(
    workplace: Workplace, settings: Mapping[str, Tree], location: Mapping[str, Tree]
) -> Provider:
    """Build the provider below the root of *location*."""
    from provisioning.providers.local.provider import LocalProvider

    allow = [Path(str(folder)) for folder in settings["allow"]]
    root = workplace.root / str(location["root"])
    return LocalProvider(root=root, allow=allow, home=workplace.home)


PROVIDER = ProviderType(name="local", list_kinds=list_kinds, locate=locate, connect=connect)

"""Registers the local provider."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from provisioning.core.model.errors import ProviderError
from provisioning.core.model.kinds import Kind
from provisioning.core.model.providers import Provider
from provisioning.core.model.values import Tree
from provisioning.providers.registry import ProviderType, Workplace


def list_kinds() -> Sequence[Kind]:
    """Return the four kinds."""
    from provisioning.providers.local.kinds import KINDS

    return KINDS


def locate(settings: Mapping[str, Tree]) -> Mapping[str, Tree]:
    """Return the root as it is configured, without `.` and `..`: the same in each clone."""
    return {"root": os.path.normpath(str(settings["root"]))}


def connect(
    workplace: Workplace, settings: Mapping[str, Tree], location: Mapping[str, Tree]
) -> Provider:
    """Build the provider below the root of *location*.

    Raises:
        ProviderError: If a former root is missing: an unmounted disk deletes nothing.
    """
    from provisioning.providers.local.provider import LocalProvider

    allow = [Path(str(folder)) for folder in settings["allow"]]
    root = workplace.root / str(location["root"])
    if location != locate(settings) and not root.is_dir():
        raise ProviderError(
            f"its root was {location['root']!r}, and there is no such folder",
            hint="mount it, or make it anew if everything in it is lost",
        )
    return LocalProvider(root=root, allow=allow, home=workplace.home)


PROVIDER = ProviderType(name="local", list_kinds=list_kinds, locate=locate, connect=connect)

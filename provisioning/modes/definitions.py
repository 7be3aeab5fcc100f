"""Each mode: the defaults of settings that it changes, below what a workspace sets itself."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from provisioning.core.model.values import Tree
from provisioning.core.reviews.permissions import Permissions


class Mode(msgspec.Struct, frozen=True, kw_only=True):
    """One mode: a sentence for people, and the defaults that it changes."""

    doc: str
    defaults: Mapping[str, Tree] = msgspec.field(default_factory=dict)


_SHARED: Mapping[str, Tree] = {"env.allow": [], "env.public": []}
"""Whoever writes a manifest is not whose environment the program runs in."""

_REVIEWED: Mapping[str, Tree] = {
    **_SHARED,
    "review.policy": "pull-request",
    "commands.approve": Permissions.OTHERS.value,
}

MODES: Mapping[str, Mode] = {
    "solo": Mode(doc="One person, or a few who trust each other."),
    "multi-user": Mode(
        doc="Several people: every change is read by another one.", defaults=_REVIEWED
    ),
    "cicd": Mode(
        doc="A pipeline applies, and no comment does.",
        defaults={
            **_SHARED,
            "commands.apply": Permissions.NOBODY.value,
            "commands.approve": Permissions.OTHERS.value,
        },
    ),
    "enterprise": Mode(
        doc="Who asks for a change neither approves it nor applies it.",
        defaults={
            **_REVIEWED,
            "commands.apply": Permissions.OTHERS.value,
            "commands.hold": Permissions.OWNERS.value,
            "commands.unlock": Permissions.OWNERS.value,
        },
    ),
}

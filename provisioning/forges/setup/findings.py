"""The findings of a check of a repository at its forge, and the steps that correct them."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

import msgspec

from provisioning.forges.setup.facts import Label, Protection


class SetupState(StrEnum):
    """The state of one subject."""

    OK = "ok"
    MISSING = "missing"
    WRONG = "wrong"
    UNKNOWN = "unknown"


class SetupAction(StrEnum):
    """The effect of a step."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"


class AddLabel(msgspec.Struct, frozen=True):
    """Add a label."""

    label: Label


class SwitchOn(msgspec.Struct, frozen=True):
    """Turn switches of the repository's settings on."""

    names: tuple[str, ...]


class Protect(msgspec.Struct, frozen=True):
    """Protect branches: *old* is the rule as it is, None if there is none."""

    old: Protection | None
    new: Protection


class SetHook(msgspec.Struct, frozen=True):
    """Add the webhook to *url*, instead of those with the ids *old*."""

    url: str
    old: tuple[int, ...]


Change: TypeAlias = AddLabel | SwitchOn | Protect | SetHook


class SetupStep(msgspec.Struct, frozen=True):
    """One change of the forge, and what it comes to."""

    action: SetupAction
    subject: str
    details: tuple[str, ...]
    change: Change


class SetupFinding(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one check: the state, the remedy, and the step that applies it."""

    subject: str
    standing: SetupState
    told: str
    hint: str = ""
    step: SetupStep | None = None

"""What is found of a repository at its forge, and the steps that put it right."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from provisioning.core.forge_facts import Label, Protection


class Standing(StrEnum):
    """How a thing is."""

    OK = "ok"
    MISSING = "missing"
    WRONG = "wrong"
    UNKNOWN = "unknown"


class Action(StrEnum):
    """What a step does."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"


@dataclass(frozen=True, slots=True)
class AddLabel:
    """Add a label."""

    label: Label


@dataclass(frozen=True, slots=True)
class SwitchOn:
    """Turn switches of the repository's settings on."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Protect:
    """Protect branches: *old* is the rule as it is, None if there is none."""

    old: Protection | None
    new: Protection


@dataclass(frozen=True, slots=True)
class SetHook:
    """Add the webhook to *url*, instead of those with the ids *old*."""

    url: str
    old: tuple[int, ...]


Change: TypeAlias = AddLabel | SwitchOn | Protect | SetHook


@dataclass(frozen=True, slots=True)
class Step:
    """One change of the forge, and what it comes to."""

    action: Action
    subject: str
    details: tuple[str, ...]
    change: Change


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at: how it is, what to do, and the step that does it."""

    subject: str
    standing: Standing
    told: str
    hint: str = ""
    step: Step | None = None

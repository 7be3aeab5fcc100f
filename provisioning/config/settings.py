"""The one table of settings: every key, its type, default and meaning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from provisioning.core.values import Tree


class Layer(StrEnum):
    """Where a value can come from; later layers win."""

    DEFAULTS = "defaults"
    USER = "user"
    WORKSPACE = "workspace"
    ENVIRONMENT = "environment"
    INFRA = "infra"
    OVERRIDE = "environment variable or flag"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting.

    Args:
        key: Its dotted name.
        type: `str`, `int`, `float`, `list` or `dict`; a `float` takes whole numbers too.
        default: Its value if no layer says one.
        doc: One sentence for people.
        choices: The values it may have, if not any.
        optional: It may be null.
        workspace_only: Only `config/provisioning.yaml` may set it.
        minimum: The least value of a number.
    """

    key: str
    type: type
    default: Tree
    doc: str
    choices: tuple[str, ...] = ()
    optional: bool = False
    workspace_only: bool = False
    minimum: float | None = None


SETTINGS: tuple[Setting, ...] = (
    Setting(
        key="workspace.name",
        type=str,
        default="",
        doc="The workspace's name, for people.",
        workspace_only=True,
    ),
    Setting(
        key="workspace.id",
        type=str,
        default="",
        workspace_only=True,
        doc="The workspace's id, a part of every ownership mark; never change it.",
    ),
    Setting(
        key="mode",
        type=str,
        default="solo",
        choices=("solo", "multi-user", "cicd", "enterprise"),
        doc="How the workspace is run.",
    ),
    Setting(
        key="environment",
        type=str,
        default=None,
        optional=True,
        doc="Which `config/<environment>-defaults.toml` applies.",
    ),
    Setting(
        key="branch",
        type=str,
        default="main",
        workspace_only=True,
        doc="The branch that desired state is read from.",
    ),
    Setting(
        key="remote",
        type=str,
        default=None,
        optional=True,
        workspace_only=True,
        doc="The Git URL that branch and state log are shared at; null is this repository itself.",
    ),
    Setting(
        key="local.root",
        type=str,
        default="live",
        doc="The folder that File, Directory and Process live below, relative to the workspace.",
    ),
    Setting(
        key="local.allow",
        type=list,
        default=[],
        doc="Further absolute folders that they may use.",
    ),
    Setting(
        key="lock.backend",
        type=str,
        default="git",
        choices=("git", "none"),
        doc="How runs keep each other out; `none` is for pipelines that run one at a time.",
    ),
    Setting(
        key="lock.ttl",
        type=float,
        default=120,
        minimum=10,
        doc="Seconds after which a lock that is not renewed expires.",
    ),
    Setting(
        key="executor.parallelism",
        type=int,
        default=10,
        minimum=1,
        doc="How many operations run at once.",
    ),
    Setting(
        key="executor.per_provider",
        type=int,
        default=10,
        minimum=1,
        doc="How many calls one provider gets at once.",
    ),
    Setting(
        key="executor.attempts",
        type=int,
        default=5,
        minimum=1,
        doc="How often a call that fails in passing is made.",
    ),
    Setting(
        key="executor.timeout",
        type=float,
        default=300,
        minimum=1,
        doc="Seconds that one call to a provider may take.",
    ),
    Setting(
        key="watch.interval",
        type=float,
        default=30,
        minimum=1,
        doc="Seconds between two rounds of `reconcile --watch`.",
    ),
    Setting(
        key="values",
        type=dict,
        default={},
        doc="Your own values, free in form; manifests name them as `{{config.values.KEY}}`.",
    ),
)

BY_KEY: Mapping[str, Setting] = {each.key: each for each in SETTINGS}

GROUPS = frozenset(key.rpartition(".")[0] for key in BY_KEY if "." in key)
"""The keys that only hold others."""


def get_setting(key: str) -> Setting | None:
    """Return the setting that *key* is, or lies below; None if there is none."""
    return BY_KEY.get("values" if key.startswith("values.") else key)


def describe_expected(setting: Setting) -> str:
    """Say what a value of *setting* must be."""
    if setting.choices:
        return "one of " + ", ".join(setting.choices)
    names = {
        str: "a string",
        int: "a whole number",
        float: "a number",
        list: "a list",
        dict: "a map",
    }
    least = f" of at least {setting.minimum:g}" if setting.minimum is not None else ""
    return names[setting.type] + least + (" or null" if setting.optional else "")


def is_fitting(setting: Setting, value: Any) -> bool:
    """Tell whether *value* may be a value of *setting*."""
    if value is None:
        return setting.optional
    if isinstance(value, bool):
        return False
    wanted: Any = (int, float) if setting.type is float else setting.type
    if not isinstance(value, wanted):
        return False
    if setting.minimum is not None and value < setting.minimum:
        return False
    return not setting.choices or value in setting.choices


def render_reference() -> str:
    """Return `docs/reference/settings.md`."""
    lines = [
        "# Settings",
        "",
        "Later layers win: defaults, `~/.provisioning/config.user.toml`,",
        "`config/provisioning.yaml`, `config/<environment>-defaults.toml`,",
        "`infra/<name>/config.toml`, environment variables",
        "(`PROVISIONING_LOCK__TTL=30`) and flags (`-c lock.ttl=30`). Maps merge, lists replace.",
        "`provisioning config explain KEY` shows which file and line set a value.",
        "",
        "| Key | Value | Default | Meaning |",
        "| --- | --- | --- | --- |",
    ]
    for each in SETTINGS:
        default = "null" if each.default is None else f"`{each.default!r}`".replace("'", '"')
        only = " Only in `config/provisioning.yaml`." if each.workspace_only else ""
        lines.append(f"| `{each.key}` | {describe_expected(each)} | {default} | {each.doc}{only} |")
    return "\n".join(lines) + "\n"

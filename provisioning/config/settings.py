"""The settings of the workspace itself: its name, mode, environment, windows and values."""

from __future__ import annotations

from provisioning.config.setting import (
    BEFORE_INFRA,
    IN_COMMITS,
    OF_OPERATOR,
    ONLY_WORKSPACE,
    Setting,
)
from provisioning.modes.definitions import MODES

SETTINGS = (
    Setting(
        key="workspace.name",
        type=str,
        default="",
        doc="The workspace's name, for people.",
        layers=ONLY_WORKSPACE,
    ),
    Setting(
        key="workspace.id",
        type=str,
        default="",
        doc="The workspace's id, a part of every ownership mark; never change it.",
        layers=ONLY_WORKSPACE,
    ),
    Setting(
        key="mode",
        type=str,
        default="solo",
        choices=tuple(MODES),
        named=True,
        layers=BEFORE_INFRA,
        doc="The mode of the workspace; a mode changes the defaults of other settings.",
    ),
    Setting(
        key="environment",
        type=str,
        default=None,
        optional=True,
        named=True,
        doc="The environment: `config/<environment>-defaults.toml` applies.",
        layers=BEFORE_INFRA,
    ),
    Setting(
        key="env.allow",
        type=list,
        default=["*"],
        doc="The environment variables that `{{env.NAME}}` opens: names, or patterns with `*`.",
        layers=OF_OPERATOR,
    ),
    Setting(
        key="env.public",
        type=list,
        default=["*"],
        doc="Those of `env.allow` whose values are no secrets: plans and records show them.",
        layers=OF_OPERATOR,
    ),
    Setting(
        key="windows",
        type=dict,
        default={},
        doc="The times at which runs may or may not change something: for each name `cron`, "
        "`duration`, `zone` and `effect`, which is allow, freeze or off.",
        layers=IN_COMMITS,
    ),
    Setting(
        key="values",
        type=dict,
        default={},
        doc="Your own values, free in form; manifests name them as `{{config.values.KEY}}`.",
    ),
)

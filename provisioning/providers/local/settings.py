"""The settings of the local provider: `local`."""

from __future__ import annotations

from provisioning.config.setting import Setting

SETTINGS = (
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
)

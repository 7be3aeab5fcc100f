"""The settings of provider instances: `providers`."""

from __future__ import annotations

from provisioning.config.setting import IN_COMMITS, Setting

SETTINGS = (
    Setting(
        key="providers",
        type=dict,
        default={},
        doc="Named provider instances: for each name `provider`, and the settings of that provider "
        "where they differ; a manifest chooses one by `spec.provider`.",
        layers=IN_COMMITS,
    ),
)

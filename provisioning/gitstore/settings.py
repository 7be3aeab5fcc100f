"""The settings of what is in Git: `branch`, `remote` and `log`."""

from __future__ import annotations

from provisioning.config.setting import BEFORE_INFRA, IN_WORKSPACE, Setting

SETTINGS = (
    Setting(
        key="branch",
        type=str,
        default="main",
        doc="The branch that desired state is read from.",
        layers=IN_WORKSPACE,
    ),
    Setting(
        key="remote",
        type=str,
        default=None,
        optional=True,
        layers=IN_WORKSPACE,
        doc="The Git URL that branch and state log are shared at; null is this repository itself.",
    ),
    Setting(
        key="log.retention",
        type=float,
        default=90,
        minimum=0,
        layers=BEFORE_INFRA,
        doc="Days for which `gc` keeps entries of a state log; a snapshot replaces older ones.",
    ),
)

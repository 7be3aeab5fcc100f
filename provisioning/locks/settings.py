"""The settings of locks: `lock`."""

from __future__ import annotations

from provisioning.config.setting import Setting

SETTINGS = (
    Setting(
        key="lock.backend",
        type=str,
        default="git",
        choices=("git", "gitea", "none"),
        doc="The lock backend: `git` locks by pushes, `gitea` through the API of Gitea; `none` is "
        "for pipelines that run one at a time.",
    ),
    Setting(
        key="lock.ttl",
        type=float,
        default=120,
        minimum=10,
        doc="Seconds after which a lock expires unless it is renewed.",
    ),
)

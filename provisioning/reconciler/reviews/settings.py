"""The settings of reviews: `review` and `commands`."""

from __future__ import annotations

from provisioning.config.setting import IN_WORKSPACE, Setting
from provisioning.core.reviews.commands import PREFIX, Verb
from provisioning.core.reviews.permissions import Permissions

SETTINGS = (
    Setting(
        key="review.policy",
        type=str,
        default="optional",
        choices=("optional", "pull-request"),
        layers=IN_WORKSPACE,
        doc="With `pull-request`, every change needs a reviewed pull request. A change that had "
        "one is applied as it was reviewed in either case.",
    ),
    Setting(
        key="review.apply",
        type=str,
        default="after-merge",
        choices=("after-merge", "before-merge"),
        layers=IN_WORKSPACE,
        doc="The order of apply and merge.",
    ),
    *(
        Setting(
            key=f"commands.{verb}",
            type=str,
            default=permissions.value,
            choices=tuple(permission.value for permission in Permissions),
            layers=IN_WORKSPACE,
            doc=f"Who may give the command `{PREFIX} {verb}` in a pull request.",
        )
        for verb, permissions in (
            (Verb.PLAN, Permissions.WRITERS),
            (Verb.APPLY, Permissions.OWNERS),
            (Verb.APPROVE, Permissions.OWNERS),
            (Verb.HOLD, Permissions.WRITERS),
            (Verb.UNLOCK, Permissions.WRITERS),
        )
    ),
)

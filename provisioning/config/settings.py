"""The one table of settings: every key, its type, default and meaning."""

from __future__ import annotations

from collections.abc import Mapping

from provisioning.config.modes import MODES
from provisioning.config.setting import Layer, Setting
from provisioning.core.reviews.commands import PREFIX, Verb
from provisioning.core.reviews.permissions import Permissions

BEFORE_INFRA = frozenset({Layer.USER, Layer.WORKSPACE, Layer.OVERRIDE})
"""Where a setting may stand that decides which further values are read."""

IN_WORKSPACE = frozenset({Layer.WORKSPACE, Layer.OVERRIDE})
ONLY_WORKSPACE = frozenset({Layer.WORKSPACE})
IN_COMMITS = frozenset({Layer.WORKSPACE, Layer.ENVIRONMENT, Layer.INFRA})
"""Where a setting may stand that nobody gets around without a commit."""

DAY, MONTH = 86_400, 2_592_000
"""Seconds that nobody means to wait longer than."""


SETTINGS: tuple[Setting, ...] = (
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
        doc="How the workspace is run; a mode changes defaults of other settings.",
    ),
    Setting(
        key="environment",
        type=str,
        default=None,
        optional=True,
        named=True,
        doc="Which `config/<environment>-defaults.toml` applies.",
        layers=BEFORE_INFRA,
    ),
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
        choices=("git", "gitea", "none"),
        doc="How runs keep each other out: by pushes, by lock files through the API of Gitea, "
        "or, for pipelines that run one at a time, not at all.",
    ),
    Setting(
        key="lock.ttl",
        type=float,
        default=120,
        minimum=10,
        doc="Seconds after which a lock that is not renewed expires.",
    ),
    Setting(
        key="forge.kind",
        type=str,
        default=None,
        choices=("gitea",),
        optional=True,
        layers=IN_WORKSPACE,
        doc="What hosts the repository.",
    ),
    Setting(
        key="forge.url",
        type=str,
        default=None,
        optional=True,
        layers=IN_WORKSPACE,
        doc="The forge's address, as in `https://git.example.org`.",
    ),
    Setting(
        key="forge.repository",
        type=str,
        default=None,
        optional=True,
        layers=IN_WORKSPACE,
        doc="The repository there: `OWNER/NAME`. Where `remote` is null, it is the remote.",
    ),
    Setting(
        key="forge.token_file",
        type=str,
        default=None,
        optional=True,
        layers=IN_WORKSPACE,
        doc="The file that holds a token of the forge, and nothing else. A relative path is below "
        "`~/.provisioning`; it must be outside of the repository, and not for everybody to read.",
    ),
    Setting(
        key="forge.webhook_secret_file",
        type=str,
        default="webhook-secret",
        layers=IN_WORKSPACE,
        doc="The file that holds the secret by which webhooks are signed; `forge setup` makes it. "
        "For its place the same holds.",
    ),
    Setting(
        key="review.policy",
        type=str,
        default="optional",
        choices=("optional", "pull-request"),
        layers=IN_WORKSPACE,
        doc="Whether every change must come by a pull request; what came by one is applied as it "
        "was reviewed in any case.",
    ),
    Setting(
        key="review.apply",
        type=str,
        default="after-merge",
        choices=("after-merge", "before-merge"),
        layers=IN_WORKSPACE,
        doc="Whether a merge applies, or an apply merges.",
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
        key="budget.deletions",
        type=int,
        default=50,
        minimum=0,
        optional=True,
        doc="How many resources one run may delete without a yes to that very plan; null is any.",
    ),
    Setting(
        key="budget.share",
        type=float,
        default=None,
        minimum=0,
        optional=True,
        doc="How many of a hundred recorded resources it may delete so; null is any.",
    ),
    Setting(
        key="budget.dependants",
        type=int,
        default=20,
        minimum=0,
        optional=True,
        doc="How many resources may depend on one that it replaces so; null is any.",
    ),
    Setting(
        key="log.keep",
        type=float,
        default=90,
        minimum=0,
        layers=BEFORE_INFRA,
        doc="Days of a state log that `gc` keeps as they are; what is older becomes a snapshot.",
    ),
    Setting(
        key="executor.infras",
        type=int,
        default=4,
        minimum=1,
        layers=BEFORE_INFRA,
        doc="How many infras `reconcile` works on at once.",
    ),
    Setting(
        key="serve.poll",
        type=float,
        default=30,
        minimum=1,
        maximum=DAY,
        layers=BEFORE_INFRA,
        doc="Seconds between two looks of `serve` for news at the remote; a webhook tells at once.",
    ),
    Setting(
        key="serve.sweep",
        type=float,
        default=600,
        minimum=1,
        maximum=MONTH,
        doc="Seconds between two looks of `serve` for drift; a watch tells at once.",
    ),
    Setting(
        key="serve.cron",
        type=str,
        default=None,
        optional=True,
        doc="When `serve` looks for drift, in place of `serve.sweep`: five fields of crontab(5).",
    ),
    Setting(
        key="serve.timezone",
        type=str,
        default="UTC",
        doc="The time zone of `serve.cron`, as in `Europe/Berlin`.",
    ),
    Setting(
        key="serve.patience",
        type=float,
        default=120,
        minimum=1,
        layers=BEFORE_INFRA,
        doc="Seconds without a sign of life after which `serve` gives a worker's place to another.",
    ),
    Setting(
        key="windows",
        type=dict,
        default={},
        doc="When runs may change something, and when not: for each name `cron`, `duration`, "
        "`zone` and `effect`, which is allow, freeze or off.",
        layers=IN_COMMITS,
    ),
    Setting(
        key="values",
        type=dict,
        default={},
        doc="Your own values, free in form; manifests name them as `{{config.values.KEY}}`.",
    ),
)

BY_KEY: Mapping[str, Setting] = {setting.key: setting for setting in SETTINGS}

MAPS = frozenset(setting.key for setting in SETTINGS if setting.type is dict)
"""The keys below which any may stand."""

GROUPS = frozenset(key.rpartition(".")[0] for key in BY_KEY if "." in key)
"""The keys that only hold others."""


def get_setting(key: str) -> Setting | None:
    """Return the setting that *key* is, or lies below; None if there is none."""
    first = key.partition(".")[0]
    return BY_KEY.get(first if first in MAPS else key)

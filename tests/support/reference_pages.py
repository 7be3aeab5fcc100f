"""Renders the reference pages of the settings, of the modes and of the metrics."""

from __future__ import annotations

import json

from provisioning.config.registry import load_settings
from provisioning.config.setting import ANYWHERE, Layer, Setting, describe_expected
from provisioning.core.reviews.permissions import DESCRIPTIONS
from provisioning.interfaces.service.metric_table import MEASURES
from provisioning.modes.definitions import MODES

_SETTINGS_HEAD = """\
# Settings

Later layers win, maps merge by key, and lists replace:

1. defaults, and those of [the mode](modes.md)
2. user: `~/.provisioning/config.user.toml`
3. workspace: `config/provisioning.yaml`
4. environment: `config/<environment>-defaults.toml`
5. infra: `infra/<name>/config.toml`
6. environment variables (`PROVISIONING_LOCK__TTL=30`, two underscores for a dot), then flags
   (`-c lock.ttl=30`); a list or a map is written as JSON: `-c 'local.allow=["/srv"]'`

`provisioning config explain KEY` shows the value in each layer, with file and line.
`PROVISIONING_HOME` moves `~/.provisioning`; it is no setting.

`{{env.NAME}}` opens the variables of `env.allow`, and is a secret unless `env.public` names it.
Both belong to the operator: the user's file, a variable or a flag sets them, and no commit does. In
the modes above solo both are empty, and for a commit that is not merged the default counts nowhere.

A value may hold `{{env.NAME}}`, `{{config.KEY}}` and `{{paths.home}}`; below `values` also
`{{paths.base}}`, `{{paths.infra}}`, `{{now.date}}`, `{{now.time}}`, `{{git.branch}}`,
`{{git.commit}}` and `{{secrets.…}}`, which are filled in when a manifest names the value.

| Key | Value | Default | Where | Meaning |
| --- | --- | --- | --- | --- |
"""


def render_settings() -> str:
    """Return `docs/reference/settings.md`."""
    rows = [
        f"| `{setting.key}` | {describe_expected(setting)} | `{json.dumps(setting.default)}` "
        f"| {_describe_layers(setting)} | {setting.doc} |\n"
        for setting in load_settings().values()
    ]
    return _SETTINGS_HEAD + "".join(rows)


def _describe_layers(setting: Setting) -> str:
    """Say in which layers *setting* may stand, in their order."""
    if setting.layers == ANYWHERE:
        return "anywhere"
    return ", ".join(item for item in Layer if item in setting.layers)


_MODES_HEAD = """\
# Modes

The setting `mode` selects how a workspace is run. A mode only changes defaults: every layer that
sets a value wins over it, and `provisioning config explain KEY` shows both. To change the mode,
change this one line; the repository stays as it is.

"""

_COMMANDS_HEAD = """
## Who may command

`commands.<verb>` names who may use `/provisioning <verb>` in [a pull request](reviews.md#commands):

"""


def render_modes() -> str:
    """Return `docs/reference/modes.md`."""
    settings = load_settings()
    meanings = [f"| `{name}` | {mode.doc} |\n" for name, mode in MODES.items()]
    keys = [key for key in settings if any(key in mode.defaults for mode in MODES.values())]
    rows = [
        f"| `{key}` | "
        + " | ".join(
            f"`{mode.defaults.get(key, settings[key].default)}`" for mode in MODES.values()
        )
        + " |\n"
        for key in keys
    ]
    who = [f"| `{item}` | {meaning} |\n" for item, meaning in DESCRIPTIONS.items()]
    return "".join(
        [
            _MODES_HEAD,
            "| Mode | For |\n| --- | --- |\n",
            *meanings,
            "\n## What each changes\n\n",
            f"| Setting | {' | '.join(MODES)} |\n| --- |{' --- |' * len(MODES)}\n",
            *rows,
            _COMMANDS_HEAD,
            "| Value | Means |\n| --- | --- |\n",
            *who,
        ]
    )


_METRICS_HEAD = """\
# Metrics

`provisioning serve --listen HOST:PORT` exposes them at `/metrics`, in the format of Prometheus; so
does the admin socket. A histogram has `_bucket`, `_sum` and `_count`; each counter and histogram
has `_created`, the time at which it began to count. The `process_…` metrics of the process come
with them. [`examples/observability/`](../../examples/observability/) has a dashboard and alerts.

| Metric | Type | Labels | Meaning |
| --- | --- | --- | --- |
"""


def render_metrics() -> str:
    """Return `docs/reference/metrics.md`."""
    rows = []
    for measure in MEASURES:
        labels = ", ".join(f"`{name}`" for name in measure.labels) or "none"
        rows.append(f"| `{measure.shown}` | {measure.form} | {labels} | {measure.help} |\n")
    return _METRICS_HEAD + "".join(sorted(rows))

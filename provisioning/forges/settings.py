"""The settings of the forge: `forge`."""

from __future__ import annotations

from functools import partial

from provisioning.config.setting import IN_WORKSPACE, Setting
from provisioning.forges.registry import list_forge_names

_text = partial(Setting, type=str, default=None, optional=True, layers=IN_WORKSPACE)

SETTINGS = (
    _text(
        key="forge.kind",
        choices=tuple(list_forge_names()),
        doc="The kind of forge that hosts the repository.",
    ),
    _text(key="forge.url", doc="The forge's address, as in `https://git.example.org`."),
    _text(
        key="forge.repository",
        doc="The repository there: `OWNER/NAME`. Where `remote` is null, it is the remote.",
    ),
    _text(
        key="forge.token_file",
        doc="The file that holds the token for the forge, and nothing else. A relative path is "
        "below `~/.provisioning`; the file must be outside of the repository and not readable by "
        "all.",
    ),
    Setting(
        key="forge.webhook_secret_file",
        type=str,
        default="webhook-secret",
        layers=IN_WORKSPACE,
        doc="The file that holds the secret that signs webhooks; `forge setup` creates it. The "
        "rules of `forge.token_file` apply.",
    ),
    Setting(
        key="forge.review_key_file",
        type=str,
        default="review-key",
        layers=IN_WORKSPACE,
        doc="The file that holds the key that signs stored reviews; the first review makes it, and "
        "whoever applies needs the same. The rules of `forge.token_file` apply.",
    ),
)

"""`config show` and `config explain`: settings as the work tree has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from provisioning.application.context import Context, InfraRequest
from provisioning.core.model.errors import InvalidArgument
from provisioning.core.model.values import Tree, find_nearest

if TYPE_CHECKING:
    from provisioning.config.layers import Layers
    from provisioning.config.provenance import Explained, SettingValue


class ShownSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting with its origin, and all of them as one tree."""

    values: dict[str, SettingValue]
    merged: Tree


class ExplainedSetting(msgspec.Struct, frozen=True, kw_only=True):
    """The value that each layer gives a setting, and the setting's description, if it is known."""

    layers: tuple[Explained, ...]
    description: str | None


class ShowSettingsRequest(InfraRequest[ShownSettings], frozen=True, kw_only=True):
    """Read every setting, with the layer of *infra*, if one is given."""


class ExplainSettingRequest(InfraRequest[ExplainedSetting], frozen=True, kw_only=True):
    """Explain the setting *key*, with the layer of *infra*, if one is given."""

    key: str


def show_settings(request: ShowSettingsRequest, context: Context) -> ShownSettings:
    """Read the settings from the work tree."""
    layers = _load(context, request.infra)
    values = {key: layers.get(key) for key in layers.list_keys()}
    return ShownSettings(values=values, merged=layers.merge())


def explain_setting(request: ExplainSettingRequest, context: Context) -> ExplainedSetting:
    """Read the setting from each layer."""
    from provisioning.config.registry import load_settings

    found = tuple(_load(context, request.infra).explain(request.key))
    setting = load_settings().get(request.key)
    return ExplainedSetting(layers=found, description=setting.doc if setting else None)


def _load(context: Context, infra: str | None) -> Layers:
    """Load the settings of *infra*; a misspelt name would silently show no layer."""
    settings = context.open_workspace().settings
    known = [path.name for path in settings.root.glob("infra/*/")]
    if infra is not None and infra not in known:
        nearest, others = find_nearest(infra, known), ", ".join(sorted(known))
        raise InvalidArgument(
            f"there is no infra {infra!r}",
            hint=f"did you mean {nearest!r}?" if nearest else f"there are: {others}",
        )
    return settings.load(settings.read_work_tree, infra)

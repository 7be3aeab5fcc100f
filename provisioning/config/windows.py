"""Reads the windows below `windows` in the settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from provisioning.config.provenance import Branch, Layers, Origin, SettingValue, list_leaves
from provisioning.config.setting import Layer
from provisioning.core.model.errors import InvalidArgument, InvalidConfiguration
from provisioning.core.model.values import find_nearest

if TYPE_CHECKING:
    from datetime import tzinfo

    from provisioning.core.model.durations import Span
    from provisioning.core.policy.windows import Window, WindowEffect

DEFAULTS: Mapping[str, str | None] = {
    "cron": None,
    "duration": None,
    "zone": "UTC",
    "effect": "allow",
}
"""The keys of a window, with their defaults; None marks a required key."""

LONGEST = 366 * 86400
"""The most seconds for which a window can be open."""

_NOWHERE = Origin(layer=Layer.DEFAULTS)
_HINT = "write {cron: 0 22 * * mon-fri, duration: 6h, zone: Europe/Berlin}"

_Read = TypeVar("_Read")


def read_windows(layers: Layers) -> tuple[Window, ...]:
    """Return the windows of *layers*, sorted by name.

    Raises:
        InvalidConfiguration: If one of them is malformed; the error names the place.
    """
    found: Branch = layers.tree["windows"]
    return tuple(_read_window(f"windows.{name}", found[name]) for name in sorted(found))


def _read_window(key: str, found: Branch | SettingValue) -> Window:
    from provisioning.core.policy.cron import parse_cron
    from provisioning.core.policy.windows import Window

    texts = _read_texts(key, found)

    def read(name: str, parse: Callable[[str], _Read]) -> _Read:
        return _read_text(f"{key}.{name}", texts[name], parse)

    return Window(
        name=key.partition(".")[2],
        effect=read("effect", _parse_effect),
        cron=read("cron", parse_cron),
        span=read("duration", _parse_duration),
        zone=read("zone", _load_zone),
    )


def _read_texts(key: str, found: Branch | SettingValue) -> dict[str, SettingValue]:
    """Return the value of each key of the window, or its default."""
    origin = next((leave.origin for _, leave in list_leaves(found)), _NOWHERE)
    if isinstance(found, SettingValue):
        raise _refuse(key, "must be a map", _HINT, origin)
    for name, said in found.items():
        if name not in DEFAULTS:
            nearest = find_nearest(name, DEFAULTS)
            hint = f"did you mean {nearest!r}?" if nearest else _HINT
            raise _refuse(f"{key}.{name}", "is no key of a window", hint, _locate(said, origin))
    missing = [name for name, default in DEFAULTS.items() if not default and name not in found]
    if missing:
        raise _refuse(key, f"has no {missing[0]}", _HINT, origin)
    return {
        name: found.get(name, SettingValue(default, _NOWHERE)) for name, default in DEFAULTS.items()
    }


def _locate(found: Branch | SettingValue, otherwise: Origin) -> Origin:
    return next((leave.origin for _, leave in list_leaves(found)), otherwise)


def _read_text(key: str, said: Branch | SettingValue, parse: Callable[[str], _Read]) -> _Read:
    text = said.value if isinstance(said, SettingValue) else said
    if not isinstance(said, SettingValue) or not isinstance(text, str):
        raise _refuse(key, f"is {text!r}, and must be text", _HINT, _locate(said, _NOWHERE))
    try:
        return parse(text)
    except InvalidArgument as exc:
        raise InvalidConfiguration(
            f"{key}: {exc.message}", hint=exc.hint, source=said.origin.source
        ) from exc


def _parse_effect(text: str) -> WindowEffect:
    from provisioning.core.policy.windows import WindowEffect

    known = [item.value for item in WindowEffect]
    if text in known:
        return WindowEffect(text)
    nearest, names = find_nearest(text, known), ", ".join(known)
    hint = f"did you mean {nearest!r}?" if nearest else f"write one of {names}"
    raise InvalidArgument(f"{text!r} is none of {names}", hint=hint)


def _parse_duration(text: str) -> Span:
    from provisioning.core.model.durations import SPAN_HINT, parse_span

    span = parse_span(text)
    if span is None or not 0 < span.total <= LONGEST:
        raise InvalidArgument(f"{text!r} is no duration of up to a year", hint=SPAN_HINT)
    return span


def _load_zone(text: str) -> tzinfo:
    from zoneinfo import ZoneInfo, available_timezones

    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError) as exc:
        known = available_timezones()
        nearest = find_nearest(text, known)
        hint = f"did you mean {nearest!r}?" if nearest else "write one as Europe/Berlin, or UTC"
        if not known:
            hint = "install the machine's time zones: the package tzdata"
        raise InvalidArgument(f"there is no time zone {text!r}", hint=hint) from exc


def _refuse(key: str, what: str, hint: str | None, origin: Origin) -> InvalidConfiguration:
    return InvalidConfiguration(f"{key} {what}", hint=hint, source=origin.source)

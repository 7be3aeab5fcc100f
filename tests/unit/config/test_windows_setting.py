"""What stands below `windows` in the settings."""

from __future__ import annotations

import pytest

from provisioning.config.windows import read_windows
from provisioning.core.model.errors import InvalidConfiguration, Source

WORKSPACE = "config/provisioning.yaml"

NIGHTLY = """windows:
  nightly:
    cron: 0 22 * * mon-fri
    duration: 6h
    zone: Europe/Berlin
"""


def test_without_windows_there_are_none(load):
    """Nothing is closed by default."""
    assert read_windows(load()) == ()


def test_a_window_is_read_with_its_defaults(load):
    """Of zone and effect nothing need be said."""
    (window,) = read_windows(load({WORKSPACE: "windows: {w: {cron: '0 1 * * *', duration: 2d}}"}))
    assert (window.name, window.effect, str(window.zone)) == ("w", "allow", "UTC")
    assert (window.span.days, window.span.seconds) == (2, 0)


def test_an_infra_changes_a_window_of_the_workspace_by_its_name(load):
    """What the infra says wins key by key, and its own windows join."""
    files = {
        WORKSPACE: NIGHTLY,
        "infra/web/config.toml": "[windows.nightly]\nduration = '2h'\n"
        "[windows.xmas]\ncron = '0 0 20 12 *'\nduration = '14d'\neffect = 'freeze'\n",
    }
    nightly, xmas = read_windows(load(files, infra="web"))
    assert (nightly.span.seconds, str(nightly.zone)) == (7200, "Europe/Berlin")
    assert (xmas.name, xmas.effect) == ("xmas", "freeze")


@pytest.mark.parametrize(
    ("text", "line", "told", "hint"),
    [
        (NIGHTLY.replace("mon-fri", "mon-fry"), 3, "'fry' is no day of the week", "0 to 7"),
        (NIGHTLY.replace("6h", "6 hours"), 4, "no duration of up to a year", "2d"),
        (NIGHTLY.replace("6h", "400d"), 4, "no duration of up to a year", "2d"),
        (NIGHTLY.replace("6h", "0m"), 4, "no duration of up to a year", "2d"),
        (NIGHTLY.replace("6h", "{a: 1}"), 4, "must be text", "duration: 6h"),
        (NIGHTLY.replace("Berlin", "Berlni"), 5, "no time zone", "did you mean 'Europe/Berlin'?"),
        (NIGHTLY.replace("Europe/Berlin", "../../etc/passwd"), 5, "no time zone", "UTC"),
        (NIGHTLY.replace("Europe/Berlin", "Europe"), 5, "no time zone", ""),
        (NIGHTLY + "    effect: freez\n", 6, "'freez' is none of", "did you mean 'freeze'?"),
        (NIGHTLY + "    until: now\n", 6, "is no key of a window", ""),
        (NIGHTLY.replace("duration", "duraton"), 4, "is no key", "did you mean 'duration'?"),
        (NIGHTLY.replace("    duration: 6h\n", ""), 3, "has no duration", "duration: 6h"),
        ("windows:\n  nightly: 22\n", 2, "must be a map", "cron"),
        ("windows:\n  nightly: null\n", 2, "must be a map", "cron"),
    ],
)
def test_what_is_no_window_is_refused_where_it_stands(load, text, line, told, hint):
    """The error names the key, with file and line, and what may stand there."""
    with pytest.raises(InvalidConfiguration, match=r"windows\.nightly") as caught:
        read_windows(load({WORKSPACE: text}))
    assert told in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.source == Source(WORKSPACE, line)


def test_a_map_without_a_key_is_no_window(load):
    """An empty map is not taken for one that is always open."""
    with pytest.raises(InvalidConfiguration, match=r"windows\.nightly has no cron"):
        read_windows(load({WORKSPACE: "windows: {nightly: {}}"}))


@pytest.mark.parametrize(
    "more",
    [
        {"flags": ["windows.nightly.effect=off"]},
        {"environ": {"PROVISIONING_WINDOWS__NIGHTLY__EFFECT": "off"}},
        {"user": "windows.nightly.effect = 'off'\n"},
    ],
)
def test_nobody_gets_around_a_window_without_a_commit(load, more):
    """Flags, variables and a user's own file may not open it; `--allow` may, and is recorded."""
    with pytest.raises(InvalidConfiguration, match="cannot be set here"):
        load({WORKSPACE: NIGHTLY}, **more)

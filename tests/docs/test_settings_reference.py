"""The pages about settings and modes are rendered from their tables."""

from __future__ import annotations

from pathlib import Path

import pytest
from reference_pages import render_modes, render_settings

from provisioning.config.registry import load_settings
from provisioning.config.setting import is_fitting
from provisioning.modes.definitions import MODES

FOLDER = Path(__file__).parents[2] / "docs" / "reference"
PAGE = FOLDER / "settings.md"
WRITE = """PYTHONPATH=tests/support python -c '
from reference_pages import render_{name}
print(render_{name}(), end="")' >docs/reference/{name}.md"""


@pytest.mark.parametrize("render", [render_settings, render_modes])
def test_page_is_up_to_date(render):
    """Each page is what its table renders to."""
    name = render.__name__.removeprefix("render_")
    written = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
    assert written == render(), f"write it again: {WRITE.format(name=name)}"


@pytest.mark.parametrize(("name", "mode"), MODES.items())
def test_mode_says_what_settings_may_be(name, mode):
    """What a mode changes is a setting, may have that value, and is a change."""
    assert mode.doc.endswith(".")
    for key, value in mode.defaults.items():
        assert is_fitting(load_settings()[key], value)
        assert value != load_settings()[key].default


@pytest.mark.parametrize("setting", load_settings().values(), ids=lambda each: each.key)
def test_setting_is_documented(setting):
    """Every setting has its sentence, and a row of its own."""
    assert setting.doc.endswith(".")
    assert PAGE.read_text(encoding="utf-8").count(f"| `{setting.key}` |") == 1

"""The page about settings is the table of settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioning.config.settings import SETTINGS, render_reference

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"
WRITE = """python -c '
from provisioning.config.settings import render_reference
print(render_reference(), end="")' >docs/reference/settings.md"""


def test_page_is_up_to_date():
    """The page is what the table renders to."""
    assert PAGE.read_text(encoding="utf-8") == render_reference(), f"write it again: {WRITE}"


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda each: each.key)
def test_setting_is_documented(setting):
    """Every setting has its sentence, and a row of its own."""
    assert setting.doc.endswith(".")
    assert PAGE.read_text(encoding="utf-8").count(f"| `{setting.key}` |") == 1

"""The page about the state log shows the table of transitions."""

from __future__ import annotations

from pathlib import Path

from provisioning.core.statelog.reference_page import render_transitions
from provisioning.core.statelog.transitions import FILES

PAGE = Path(__file__).parents[2] / "docs/reference/state-log.md"
WRITE = """python -c '
from provisioning.core.statelog.reference_page import render_transitions
print(render_transitions(), end="")'"""


def test_page_is_up_to_date():
    """The tables of states and entries are what the table renders to."""
    assert render_transitions() in PAGE.read_text(encoding="utf-8"), f"copy the output of: {WRITE}"


def test_every_file_is_explained():
    """Each file of the log has a row of its own."""
    text = PAGE.read_text(encoding="utf-8")
    assert all(f"\n| `{name}` | " in text for name in FILES)

"""The page about gates is rendered from the registry."""

from __future__ import annotations

from pathlib import Path

from provisioning.core.policy.builtin_gates import GATES, render_gates

PAGE = Path(__file__).parents[2] / "docs/reference/gates.md"
WRITE = """python -c '
from provisioning.core.policy.builtin_gates import render_gates
print(render_gates(), end="")' >docs/reference/gates.md"""


def test_page_is_up_to_date():
    """The page is what the registered gates render to."""
    assert PAGE.read_text(encoding="utf-8") == render_gates(), f"write it again: {WRITE}"


def test_every_code_and_place_is_there_once():
    """Two gates of one name could not be told apart, and each place is one gate's."""
    assert len({gate.code for gate in GATES}) == len({gate.order for gate in GATES}) == len(GATES)
    assert all(gate.doc.endswith(".") for gate in GATES)

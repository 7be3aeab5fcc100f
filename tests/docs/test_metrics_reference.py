"""The page about metrics is the table of metrics."""

from __future__ import annotations

from pathlib import Path

import pytest
from reference_pages import render_metrics

from provisioning.interfaces.service.metric_table import MEASURES

PAGE = Path(__file__).parents[2] / "docs/reference/metrics.md"
WRITE = """PYTHONPATH=tests/support python -c '
from reference_pages import render_metrics
print(render_metrics(), end="")' >docs/reference/metrics.md"""


def test_page_is_up_to_date():
    """The page is what the table renders to."""
    assert PAGE.read_text(encoding="utf-8") == render_metrics(), f"write it again: {WRITE}"


@pytest.mark.parametrize("measure", MEASURES, ids=lambda each: each.stem)
def test_metric_is_documented(measure):
    """Every metric has its sentence, and a row of its own."""
    assert measure.help.endswith(".")
    assert PAGE.read_text(encoding="utf-8").count(f"| `{measure.shown}` |") == 1

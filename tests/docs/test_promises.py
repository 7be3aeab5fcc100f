"""What the documentation says holds a promise is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ("docs/explanation/promises.md", "docs/explanation/known-bugs-of-others.md")
NAMED = re.compile(r"`((?:tests|docs|bench)/[^`:]*)(?:::(\w+))?`")


def list_named():
    return [found for page in PAGES for found in NAMED.findall((ROOT / page).read_text("utf-8"))]


@pytest.mark.parametrize(("path", "test"), sorted(set(list_named())))
def test_what_is_named_exists(path, test):
    """A table of tests that are not there would promise nothing."""
    assert (ROOT / path).exists()
    if test:
        assert f"def {test}(" in (ROOT / path).read_text("utf-8")


def test_every_promise_is_there():
    """P1 to P11, each held by something."""
    rows = (ROOT / PAGES[0]).read_text("utf-8").splitlines()
    held = {row.split("|")[1].strip() for row in rows if NAMED.search(row)}
    assert held >= {f"P{number}" for number in range(1, 12)}

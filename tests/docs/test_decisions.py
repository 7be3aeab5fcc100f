"""The pages of decisions have numbers of their own, one form, and an index."""

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs/decisions"
PAGES = sorted(FOLDER.glob("[0-9]*.md"))
PARTS = ("Context", "Decision", "Rejected", "Consequences")
INDEX = (FOLDER / "README.md").read_text("utf-8")


def test_every_number_is_given_once():
    """Without a gap, so that the next one is known."""
    assert [int(page.name[:4]) for page in PAGES] == list(range(1, len(PAGES) + 1))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name[:4])
def test_every_page_has_the_form(page):
    """The title bears the number; the parts come in their order."""
    text = page.read_text("utf-8")
    assert text.startswith(f"# {page.name[:4]}: ")
    found = re.findall(r"^\*\*(\w+)\.\*\*", text, re.MULTILINE)
    assert found == [each for each in PARTS if each in found]
    assert {"Context", "Decision", "Consequences"} <= set(found)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name[:4])
def test_every_page_is_in_the_index(page):
    """With its title."""
    number, _, title = page.read_text("utf-8").splitlines()[0].removeprefix("# ").partition(": ")
    assert f"| {number} | [{title}]({page.name}) |" in INDEX


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name[:4])
def test_a_number_in_a_page_is_one_of_another_page(page):
    """A reference leads somewhere."""
    numbers = re.findall(r"\((\d{4})\)", page.read_text("utf-8"))
    assert {*numbers} <= {other.name[:4] for other in PAGES if other != page}

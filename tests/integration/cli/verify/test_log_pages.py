import json

import pytest


@pytest.fixture
def told(shop):
    for _ in range(2):
        shop.run("lock", "hold", "web", "--reason", "audit")
        shop.run("lock", "release", "web")
    return shop


def test_the_log_shows_a_page_and_says_how_to_see_the_rest(told):
    """The newest entries come first, and what is left out is named."""
    text = told.run("log", "web", "-n", "3")
    assert [line.split()[1] for line in text.splitlines()] == [
        "release",
        "hold",
        "release",
        "older:",
    ]
    assert "`provisioning log web --all`" in text


@pytest.mark.parametrize("words", [["--all"], ["-n", "4"], []])
def test_a_log_that_fits_is_shown_whole(told, words):
    """Nothing is said to be left out where nothing is."""
    text = told.run("log", "web", *words)
    assert len(text.splitlines()) == 4
    assert "older" not in text


def test_json_tells_whether_there_is_more(told):
    """A program sees that what it got is a page."""
    shown = json.loads(told.run("log", "web", "-n", "1", "-o", "json"))
    assert (len(shown["entries"]), shown["more"]) == (1, True)
    shown = json.loads(told.run("log", "web", "-o", "json"))
    assert (len(shown["entries"]), shown["more"]) == (4, False)

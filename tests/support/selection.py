"""What a tier asks of pytest by the environment: a part of the tests, and how many examples.

`TEST_PART=3/8` runs each eighth test, beginning with the third. `TEST_EXAMPLES=0.25` lets
Hypothesis try a quarter of the examples that each property asks for.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

LEAST = 5
"""Fewer examples than these say nothing."""

USED = "_hypothesis_internal_use_settings"


def pytest_configure() -> None:
    """Take the number of examples of properties that state none."""
    count = scale(settings.get_profile("default").max_examples, read_factor())
    settings.register_profile("tier", deadline=None, max_examples=count)
    settings.load_profile("tier")  # a test never judges how long something took


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Scale the examples that properties state, and leave out the other parts."""
    if (factor := read_factor()) != 1:
        scale_examples(items, factor)
    if part := os.environ.get("TEST_PART"):
        number, count = map(int, part.split("/"))
        chosen = {item.nodeid for item in sorted(items, key=get_id)[number - 1 :: count]}
        config.hook.pytest_deselected(items=[each for each in items if each.nodeid not in chosen])
        items[:] = [each for each in items if each.nodeid in chosen]


def get_id(item: pytest.Item) -> str:
    """Return what the order of parts follows."""
    return item.nodeid


def read_factor() -> float:
    """Return how many times the examples are tried that a property asks for."""
    return float(os.environ.get("TEST_EXAMPLES", "1"))


def scale(count: int, factor: float) -> int:
    """Return *count* times *factor*, but a number that says something."""
    return max(min(count, LEAST), round(count * factor))


def scale_examples(items: list[pytest.Item], factor: float) -> None:
    """Replace the settings of each property, also of those that were given in the test."""
    functions = {id(found): found for item in items if (found := getattr(item, "obj", None))}
    for function in functions.values():
        target = getattr(function, "__func__", function)
        stated = getattr(target, USED, None)
        if stated is not None:
            count = scale(stated.max_examples, factor)
            setattr(target, USED, settings(stated, max_examples=count))
    for case in {item.cls for item in items if hasattr(item, "cls") and item.cls}:
        if isinstance(stated := getattr(case, "settings", None), settings):
            case.settings = settings(stated, max_examples=scale(stated.max_examples, factor))

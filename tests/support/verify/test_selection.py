"""The tests of a part, and the examples of a tier, in runs of pytest of their own."""

import re
from collections import Counter

import pytest


def test_all_parts_together_are_every_test_once(run_nested):
    """None is left out by all of them, and none is in two."""
    text = "import pytest\n@pytest.mark.parametrize('n', range(11))\ndef test_it(n):\n    pass\n"
    seen = Counter()
    for part in (1, 2, 3):
        code, told = run_nested(text, "-v", TEST_PART=f"{part}/3")
        assert code == 0, told
        seen.update(re.findall(r"test_it\[(\d+)\] PASSED", told))
    assert seen == Counter(map(str, range(11)))


@pytest.mark.parametrize(("factor", "count"), [("0.25", 10), ("1", 40), ("2", 80)])
def test_a_tier_scales_the_examples(run_nested, factor, count):
    """Of properties that state a number, too; at least as many as say something."""
    text = (
        "from hypothesis import given, settings, strategies as s\nseen = []\n"
        "@settings(max_examples=40)\n@given(s.integers())\n"
        "def test_it(n):\n    seen.append(n)\n"
        f"def test_then():\n    assert len(seen) == {count}\n"
    )
    code, told = run_nested(text, "-p", "no:randomly", TEST_EXAMPLES=factor)
    assert code == 0, told

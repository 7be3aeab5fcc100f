"""What other people wrote stays in its place of a comment."""

import re

from hypothesis import given
from hypothesis import strategies as st

from provisioning.core.reviews.markdown import clean, render_block, render_cell, render_code

HOSTILE = st.text(st.sampled_from("`~|<>@#\n\r\t \\[]()!*_a\u202e\u200b\x00\x1b"), max_size=60)


@given(HOSTILE)
def test_nothing_closes_a_block_but_its_end(text):
    """No line of the text is a fence as long as the block's own."""
    fence, *body, end = render_block(text, "diff").splitlines()
    marks = fence.removesuffix("diff")
    assert end == marks
    assert re.fullmatch("`{3,}", marks)
    assert all(marks not in line for line in body)


@given(HOSTILE)
def test_nothing_closes_a_span_but_its_end(text):
    """A span of code is one line, and no run of backticks within is as long as its fence."""
    span = render_code(text)
    if not span:
        return
    fence = re.match("`+", span)[0]
    inner = span[len(fence) : -len(fence)]
    assert span.endswith(fence)
    assert "\n" not in span
    assert all(len(run) < len(fence) for run in re.findall("`+", inner.strip()))


@given(HOSTILE)
def test_a_cell_stays_one(text):
    """No bar of the text begins another cell."""
    assert not re.search(r"(?<!\\)\|", render_cell(text))


@given(st.text())
def test_what_cannot_be_seen_is_shown(text):
    """Neither terminals nor readers are led by what is invisible."""
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e]", clean(text))

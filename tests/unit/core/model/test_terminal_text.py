import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.core.model.terminal_text import ERASE, render_plain, render_styled

TEXTS = st.text(st.characters(exclude_categories=()))


@given(TEXTS)
def test_nothing_is_left_that_moves_hides_or_turns(text):
    """P9: whatever a manifest, a provider or a remote says, a terminal only shows it."""
    plain = render_plain(text)
    assert {unicodedata.category(each) for each in plain} & {"Cc", "Cs", "Zl", "Zp"} <= (
        {"Cc"} if {"\t", "\n"} & set(plain) else set()
    )
    assert {each for each in plain if unicodedata.category(each) == "Cc"} <= {"\t", "\n"}
    assert not {unicodedata.bidirectional(each) for each in plain} & {
        *("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
    }
    plain.encode()


@given(st.text(st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp"))))
def test_ordinary_text_is_left_alone(text):
    """Letters of any script, signs and pictures are as they were."""
    assert render_plain(text) == render_styled(text) == text


@given(TEXTS.filter(lambda text: not any("\ud800" <= each <= "\udfff" for each in text)))
def test_json_says_the_same_afterwards(text):
    """A shape that is printed as JSON is read back as it was."""
    assert json.loads(render_styled(json.dumps(text, ensure_ascii=False))) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
        ("\x1b[8mhidden\x1b[0m", "\\u001b[8mhidden\x1b[0m"),
        ("a\x1b[2Jb", "a\\u001b[2Jb"),
        (f"{ERASE}  3/4", f"{ERASE}  3/4"),
        (f"  3/4{ERASE}", "  3/4\\u000d\\u001b[K"),
        ("a\r\nb\tc", "a\\u000d\nb\tc"),
        ("a\udcff", "a\\udcff"),
    ],
)
def test_our_own_colours_pass_and_nothing_else(text, shown):
    """The command line may colour and count; what it shows may not."""
    assert render_styled(text) == shown

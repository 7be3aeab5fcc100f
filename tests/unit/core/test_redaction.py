import base64
import json
import shlex
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.core.redaction import Redactor

SECRET = 'p@ss "word" +/ü'


@pytest.mark.parametrize(
    "spell",
    [
        str,
        quote,
        quote_plus,
        json.dumps,
        lambda text: json.dumps(text, ensure_ascii=False),
        shlex.quote,
        lambda text: base64.b64encode(text.encode()).decode(),
        lambda text: base64.urlsafe_b64encode(b"x" + text.encode()).decode(),
        lambda text: base64.b64encode(b"xy" + text.encode() + b"z").decode(),
    ],
)
def test_every_common_spelling_is_removed(spell):
    redacted = Redactor([SECRET]).redact(f"before {spell(SECRET)} after")
    assert "***" in redacted
    assert redacted.startswith("before ")
    assert redacted.endswith(" after")
    assert "word" not in redacted


@given(st.binary(max_size=5), st.binary(min_size=9, max_size=40), st.binary(max_size=5))
def test_base64_is_found_wherever_the_secret_begins(before, secret, after):
    text = secret.hex()
    encoded = base64.b64encode(before + text.encode() + after).decode()
    redacted = Redactor([text]).redact(encoded)
    assert "***" in redacted
    assert len(redacted) <= len(encoded) - len(text) + 3


def test_the_lines_of_a_secret_are_secrets():
    secret = "-----BEGIN-----\nfirst line of it\nsecond line of it\n"
    assert Redactor([secret]).redact("has second line of it") == "has ***"


def test_a_secret_within_another_is_removed_with_it():
    assert Redactor(["word", "password"]).redact("my password") == "my ***"


def test_what_is_too_short_to_tell_anything_stays():
    assert Redactor(["abc", ""]).redact("abc") == "abc"


def test_a_secret_that_is_added_later_is_removed_from_then_on():
    redactor = Redactor()
    assert redactor.redact("hunter2") == "hunter2"
    redactor.add("hunter2")
    assert redactor.redact("hunter2") == "***"

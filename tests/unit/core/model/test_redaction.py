import base64
import html
import json
import shlex
import sys
import threading
from collections import Counter
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.core.model.redaction import Redactor

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


@pytest.mark.parametrize(
    "spell",
    [
        html.escape,
        lambda text: html.escape(text, quote=False),
        lambda text: repr(text)[1:-1],
        lambda text: ascii(text)[1:-1],
        lambda text: text.encode().hex(),
        lambda text: text.encode().hex().upper(),
    ],
)
def test_pages_tracebacks_and_dumps_tell_nothing_either(spell):
    secret = "a<b>\\c'd\té"
    assert Redactor([secret]).redact(f"<{spell(secret)}>") == "<***>"


def test_secrets_that_overlap_are_removed_to_the_last_character():
    assert Redactor(["abcdxy", "xyz123"]).redact("-abcdxyz123-") == "-***-"


@given(st.lists(st.text("ab", min_size=4, max_size=7), max_size=4), st.text("ab-", max_size=40))
def test_what_is_left_is_what_no_secret_covers(secrets, text):
    covered = {
        index
        for secret in secrets
        for start in range(len(text))
        if text.startswith(secret, start)
        for index in range(start, start + len(secret))
    }
    left = "".join(letter for index, letter in enumerate(text) if index not in covered)
    assert Redactor(secrets).redact(text).replace("***", "") == left


def test_it_takes_no_longer_for_more_secrets():
    """The steps are counted: one look at each place of the text, whatever is known."""
    looks = Counter()

    class Counted(dict):
        def get(self, key, default=None):
            looks["all"] += 1
            return super().get(key, default)

    redactor = Redactor(f"secret number {number}" for number in range(2000))
    redactor.redact("index them")
    redactor._forms = Counted(redactor._forms)
    redactor.redact("x" * 1000)
    assert looks["all"] <= 1000


def test_no_thread_goes_on_without_a_secret_that_is_known():
    """What was added is redacted from then on, whichever thread has the work of indexing it."""
    redactor, leaks, rounds = Redactor(), [], 300
    start, end = threading.Barrier(5), threading.Barrier(5)
    interval = sys.getswitchinterval()

    def work():
        for number in range(rounds):
            start.wait(20)
            if redactor.redact(f"it is secret-{number}.") != "it is ***.":
                leaks.append(number)
            end.wait(20)

    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work) for _ in range(4)]
        for each in threads:
            each.start()
        for number in range(rounds):
            redactor.add(f"secret-{number}")
            start.wait(20)
            end.wait(20)
        for each in threads:
            each.join()
    finally:
        sys.setswitchinterval(interval)
    assert leaks == []

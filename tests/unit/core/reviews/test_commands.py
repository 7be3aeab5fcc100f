"""What people may say in a pull request is a closed grammar."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.core.reviews.commands import (
    MAX_COMMANDS,
    Command,
    InvalidCommand,
    Verb,
    parse_commands,
)


@pytest.mark.parametrize(
    ("body", "commands"),
    [
        ("/provisioning plan", (Command(Verb.PLAN),)),
        ("/provisioning", (Command(Verb.HELP),)),
        ("  /Provisioning  APPLY  web \r\nthanks", (Command(Verb.APPLY, "web"),)),
        ("first\n/provisioning hold db\n/provisioning unlock web",
         (Command(Verb.HOLD, "db"), Command(Verb.UNLOCK, "web"))),
        ("please say /provisioning plan", ()),
        ("> /provisioning apply", ()),
        ("    /provisioning apply", ()),
        ("```\n/provisioning apply\n```", ()),
        ("```\n/provisioning apply\n```\n/provisioning plan", (Command(Verb.PLAN),)),
        ("/provisioningplan", ()),
        ("- /provisioning plan\n- b", ()),
        ("1. a\n\n   /provisioning plan", ()),
        ("> a\n/provisioning plan", ()),
        ("<!--\n/provisioning plan\n-->", ()),
        ("a <!-- b\n/provisioning plan\n--> c", ()),
        ("<div>\n/provisioning plan\n</div>", ()),
        ("~~~~\n~~~\n/provisioning plan\n~~~~", ()),
        ("```diff\n-a\n``` x\n/provisioning plan\n```", ()),
        ("~~~\n/provisioning plan", ()),
        ("a `b\n/provisioning plan\n`", ()),
        ("# /provisioning plan", ()),
        ("a\u2028/provisioning plan", ()),
        ("a\x85/provisioning plan\x0b/provisioning plan\x0c/provisioning plan", ()),
        ("a\r/provisioning plan", ()),
        ("/provisioning\u00a0plan", ()),
        ("/provisioning plan" + "a" * 70_000, ()),
        ("", ()),
    ],
)  # fmt: skip
def test_a_command_stands_by_itself(body, commands):
    """Talk, quotes and code are no commands."""
    assert parse_commands(body) == commands


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("/provisioning aply", "did you mean `/provisioning apply`?"),
        ("/provisioning destroy-everything", "see `/provisioning help`"),
        ("/provisioning apply web db", "takes the name of one infra"),
        ("/provisioning apply $(reboot)", "takes the name of one infra"),
        ("/provisioning plan ../web", "takes the name of one infra"),
        ("/provisioning plan --force", "takes the name of one infra"),
    ],
)
def test_a_slip_is_told(body, told):
    """What was probably meant is in the answer, and what was said is not."""
    (misread,) = parse_commands(body)
    assert isinstance(misread, InvalidCommand)
    assert told in misread.reason
    assert "reboot" not in misread.reason


def test_a_flood_is_one_answer():
    """A comment of a thousand commands does none of them."""
    (misread,) = parse_commands("/provisioning apply\n" * 1000)
    assert "1000" in misread.reason


@given(st.text())
def test_any_text_is_read(body):
    """No comment is an error, or more than a handful of commands."""
    assert len(parse_commands(body)) <= MAX_COMMANDS
    assert len(parse_commands(f"/provisioning {body}")) <= MAX_COMMANDS

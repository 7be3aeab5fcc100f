"""A key service's messages, byte for byte, as Protocol Buffers has them."""

import pytest

from sops_python.keyservice.messages import (
    MalformedMessage,
    NoKeyNamed,
    parse_answer,
    parse_request,
    render_answer,
    render_request,
)
from sops_python.metadata import MasterKey

KMS = {"arn": "a", "role": "r", "context": {"k": "v", "e": ""}, "aws_profile": "p"}
VECTORS = [
    ("age", {"recipient": "age1x"}, b"\x0a\x09\x32\x07\x0a\x05age1x"),
    ("pgp", {"fp": "F00"}, b"\x0a\x07\x12\x05\x0a\x03F00"),
    ("gcp_kms", {"resource_id": "g"}, b"\x0a\x05\x1a\x03\x0a\x01g"),
    ("azure_kv", {"vault_url": "u", "name": "n", "version": ""},
     b"\x0a\x08\x22\x06\x0a\x01u\x12\x01n"),
    ("hc_vault", {"vault_address": "a", "engine_path": "e", "key_name": "k"},
     b"\x0a\x0b\x2a\x09\x0a\x01a\x12\x01e\x1a\x01k"),
    ("hckms", {"key_id": "h"}, b"\x0a\x05\x3a\x03\x0a\x01h"),
    ("kms", KMS,
     b"\x0a\x18\x0a\x16\x0a\x01a\x12\x01r\x1a\x06\x0a\x01k\x12\x01v\x1a\x03\x0a\x01e\x22\x01p"),
]  # fmt: skip


@pytest.mark.parametrize(("section", "fields", "message"), VECTORS, ids=lambda each: str(each)[:9])
def test_a_request_has_the_bytes_of_the_protocol(section, fields, message):
    message += b"\x12\x02\x00\xff"
    assert render_request(MasterKey(section, fields), b"\x00\xff") == message
    request = parse_request(message)
    assert (request.key.section, request.key.fields, request.data) == (section, fields, b"\x00\xff")


def test_an_answer_has_the_bytes_of_the_protocol():
    assert render_answer(b"x" * 300) == b"\x0a\xac\x02" + b"x" * 300
    assert parse_answer(b"\x0a\xac\x02" + b"x" * 300) == b"x" * 300
    assert parse_answer(b"") == b""


def test_a_field_that_is_empty_is_left_out():
    """An account has neither a role nor a context unless somebody says so."""
    key = MasterKey("kms", {"arn": "a", "aws_profile": "", "role": "", "context": {"n": None}})
    assert render_request(key, b"") == b"\x0a\x05\x0a\x03\x0a\x01a\x12\x00"
    assert parse_request(render_request(key, b"")).key.fields == {"arn": "a", "aws_profile": ""}


def test_fields_of_a_newer_protocol_are_passed_over():
    newer = b"\x18\xac\x02" + b"\x21" + b"8 bytes." + b"\x2d" + b"four" + b"\x32\x01?"
    request = parse_request(newer + b"\x0a\x0a\x2a\x05\x0a\x01a\x32\x00\x42\x01x" + newer)
    assert request.key.fields == {"vault_address": "a", "engine_path": "", "key_name": ""}


@pytest.mark.parametrize("message", [b"", b"\x0a\x00", b"\x0a\x03\x42\x01x", b"\x12\x01x"])
def test_a_request_without_a_known_key_names_none(message):
    with pytest.raises(NoKeyNamed, match="Must provide a key"):
        parse_request(message)


@pytest.mark.parametrize(
    ("message", "what"),
    [(b"\x0a", "a number without an end"), (b"\x0a\x05x", "less than it says"),
     (b"\x80" * 11, "a number without an end"), (b"\x0b", "a field of an unknown kind"),
     (b"\x02\x00", "a field without a number"), (b"\x09x", "less than it says"),
     (b"\x0a\x05\x32\x03\x0a\x01\xff", "no text")],
)  # fmt: skip
def test_what_is_no_message_is_told(message, what):
    with pytest.raises(MalformedMessage, match=what):
        parse_request(message)


def test_the_data_is_not_shown():
    request = parse_request(b"\x0a\x09\x32\x07\x0a\x05age1x\x12\x06secret")
    assert "secret" not in repr(request)

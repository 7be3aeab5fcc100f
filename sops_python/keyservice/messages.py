"""The messages of a key service as bytes: those of `keyservice/keyservice.proto` in getsops/sops.

Their encoding is that of https://protobuf.dev/programming-guides/encoding/. Requests to encrypt and
to decrypt are built alike, and so are the answers.
"""

from __future__ import annotations

from collections.abc import Iterator

from sops_python.errors import KeyUnusable
from sops_python.metadata import MasterKey
from sops_python.tree import Confidential, Value

_SECTIONS = {
    1: ("kms", ("arn", "role", "context", "aws_profile")),
    2: ("pgp", ("fp",)),
    3: ("gcp_kms", ("resource_id",)),
    4: ("azure_kv", ("vault_url", "name", "version")),
    5: ("hc_vault", ("vault_address", "engine_path", "key_name")),
    6: ("age", ("recipient",)),
    7: ("hckms", ("key_id",)),
}
"""Each kind of key by its number in `Key`, with its fields, which are numbered from 1."""

_NUMBERS = {section: number for number, (section, _) in _SECTIONS.items()}
_OPTIONAL = frozenset(("role", "context"))

_KEY, _DATA = 1, 2
"""The fields of a request."""

_ANSWER = 1

_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5
_WIDTHS = {_FIXED_64: 8, _FIXED_32: 4}
_LONGEST_VARINT = 10


class MalformedMessage(KeyUnusable):
    """The bytes are no message of a key service."""


class NoKeyNamed(MalformedMessage):
    """A request names no key, or one of a kind that is not known."""


class Request(Confidential, frozen=True):
    """A request to encrypt or decrypt *data* by *key*."""

    key: MasterKey
    data: bytes


def render_request(key: MasterKey, data: bytes) -> bytes:
    """Return the request that *key* encrypts or decrypts *data*."""
    number = _NUMBERS[key.section]
    _, names = _SECTIONS[number]
    fields = b"".join(
        _render_value(place, key.fields.get(name)) for place, name in enumerate(names, 1)
    )
    return _render_bytes(_KEY, _render_bytes(number, fields)) + _render_bytes(_DATA, data)


def parse_request(message: bytes) -> Request:
    """Return what *message* asks for.

    Raises:
        NoKeyNamed: If it names no key.
        MalformedMessage: If it is no request.
    """
    found = dict(_split(message))
    for number, fields in _split(found.get(_KEY, b"")):
        if number in _SECTIONS:
            section, names = _SECTIONS[number]
            return Request(MasterKey(section, _parse_fields(fields, names)), found.get(_DATA, b""))
    raise NoKeyNamed("Must provide a key", hint="send one of a kind that sops 3.13 knows")


def render_answer(data: bytes) -> bytes:
    """Return the answer that holds *data*."""
    return _render_bytes(_ANSWER, data)


def parse_answer(message: bytes) -> bytes:
    """Return what the answer *message* holds.

    Raises:
        MalformedMessage: If it is no answer.
    """
    return dict(_split(message)).get(_ANSWER, b"")


def _render_value(number: int, value: Value) -> bytes:
    match value:
        case None | "":
            return b""
        case dict():
            entries = ((name, item) for name, item in value.items() if item is not None)
            return b"".join(
                _render_bytes(number, _render_value(1, name) + _render_value(2, item))
                for name, item in entries
            )
    return _render_bytes(number, str(value).encode())


def _render_bytes(number: int, data: bytes) -> bytes:
    return _render_varint(number << 3 | _BYTES) + _render_varint(len(data)) + data


def _render_varint(number: int) -> bytes:
    """Return *number* in groups of seven bits, the lowest first; the last has no mark."""
    groups = bytearray()
    while number > 0x7F:  # noqa: PLR2004  seven bits
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return bytes(groups)


def _parse_fields(message: bytes, names: tuple[str, ...]) -> dict[str, Value]:
    fields: dict[str, Value] = {name: "" for name in names if name not in _OPTIONAL}
    context: dict[str, Value] = {}
    for number, data in _split(message):
        name = names[number - 1] if number <= len(names) else ""
        if name == "context":
            entry = dict(_split(data))
            context[_read_text(entry.get(1, b""))] = _read_text(entry.get(2, b""))
        elif name and (data or name not in _OPTIONAL):
            fields[name] = _read_text(data)
    return fields | ({"context": context} if context else {})


def _read_text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as exc:
        raise _describe("a name that is no text") from exc


def _split(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the number and the content of each field that holds bytes; others are not ours."""
    place = 0
    while place < len(message):
        tag, place = _parse_varint(message, place)
        number, kind = tag >> 3, tag & 7
        if number == 0:
            raise _describe("a field without a number")
        if kind == _VARINT:
            _, place = _parse_varint(message, place)
            continue
        if kind == _BYTES:
            length, place = _parse_varint(message, place)
        elif kind in _WIDTHS:
            length = _WIDTHS[kind]
        else:
            raise _describe("a field of an unknown kind")
        end = place + length
        if end > len(message):
            raise _describe("less than it says")
        if kind == _BYTES:
            yield number, message[place:end]
        place = end


def _parse_varint(message: bytes, place: int) -> tuple[int, int]:
    """Return the number that begins at *place*, and where the next begins."""
    number = 0
    for index, group in enumerate(message[place : place + _LONGEST_VARINT]):
        number |= (group & 0x7F) << (7 * index)
        if group <= 0x7F:  # noqa: PLR2004  the last has no mark
            return number, place + index + 1
    raise _describe("a number without an end")


def _describe(what: str) -> MalformedMessage:
    return MalformedMessage(
        f"a message of a key service holds {what}", hint="ask a key service of sops 3.13"
    )

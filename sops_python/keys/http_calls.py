"""Calls the web services that hold keys, or give tokens for them."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping
from email.message import Message
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from sops_python.errors import KeyUnusable

TIMEOUT = 10.0
"""Seconds after which a service that does not answer is taken to be down."""

PROBE = 1.0
"""Seconds in which a machine's own service answers, if there is one."""

PAUSES = (0.3, 1.0)
"""Seconds before each further try of a call that failed in passing."""

LONGEST = 1 << 20
"""Bytes of the longest answer that is read."""

SHOWN = 500
"""Characters of a service's own words that a message repeats."""

_PASSING = frozenset((429, 502, 503, 504))


class Refused(KeyUnusable):
    """A service answered with the HTTP status *status*, and *headers*, that it will not."""

    def __init__(self, message: str, *, hint: str, status: int, headers: Message) -> None:
        super().__init__(message, hint=hint)
        self.status, self.headers = status, headers


class _Staying(HTTPRedirectHandler):
    """Follows nobody elsewhere, for a token would go along."""

    def redirect_request(self, *_: Any) -> None:
        return None


def call(
    service: str,
    address: str,
    *,
    hint: str,
    headers: Mapping[str, str] | None = None,
    body: Mapping[str, Any] | None = None,
    form: Mapping[str, str] | None = None,
    is_near: bool = False,
) -> Mapping[str, Any]:
    """Return the JSON object that *service* answers; see `fetch`.

    Raises:
        Refused: If the service refuses.
        KeyUnusable: If it does not answer, or with something else.
    """
    given = dict(headers or {})
    data = None
    if body is not None:
        data = json.dumps(body, allow_nan=False).encode()
        given["Content-Type"] = "application/json"
    if form is not None:
        data = urlencode(form).encode()
        given["Content-Type"] = "application/x-www-form-urlencoded"
    text = fetch(service, address, hint=hint, headers=given, data=data, is_near=is_near)
    return parse_object(text, f"the answer of {service}", hint)


def fetch(
    service: str,
    address: str,
    *,
    hint: str,
    headers: Mapping[str, str] | None = None,
    data: bytes | None = None,
    is_near: bool = False,
) -> bytes:
    """Return what *service* answers at *address*; what fails in passing is tried again.

    Args:
        service: What messages call it.
        address: Where it is, with the query.
        hint: What to do if it refuses, or does not answer.
        headers: What is sent beside the usual.
        data: What is posted; None to get.
        is_near: It belongs to this machine: no proxy is asked, and HTTP will do.

    Raises:
        Refused: If the service refuses.
        KeyUnusable: If it does not answer.
    """
    scheme, host = split(address)
    server = f"{scheme}://{host}"
    if scheme not in ({"https", "http"} if is_near else {"https"}) or not host:
        raise KeyUnusable(f"{server} is no place for a secret", hint="write https://…")
    opener = build_opener(_Staying, *([ProxyHandler({})] if is_near else []))
    for pause in (*PAUSES, None):
        request = Request(address, data, dict(headers or {}))  # noqa: S310  checked above
        try:
            with opener.open(request, timeout=TIMEOUT) as answer:
                return _read(answer)
        except HTTPError as exc:
            with exc:
                if pause is None or exc.code not in _PASSING:
                    raise _describe_refusal(service, server, exc, hint) from exc
        except ValueError as exc:  # its words may hold a header
            raise KeyUnusable(
                f"{service} cannot be asked at {server}: the address or a header is malformed",
                hint=hint,
            ) from exc
        except (OSError, http.client.HTTPException) as exc:
            reason = exc.reason if isinstance(exc, URLError) else exc
            if pause is None or not isinstance(reason, ConnectionError):
                raise KeyUnusable(
                    f"{service} did not answer at {server}: {reason}", hint=hint
                ) from exc
        time.sleep(pause)
    raise AssertionError  # the last pause is None


def split(address: str) -> tuple[str, str]:
    """Return the scheme and the host, with its port, of *address*; both "" if it is none."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return "", ""
    return parts.scheme, parts.netloc


def _read(answer: Any) -> bytes:
    """Return what *answer* holds, if it is no longer than `LONGEST` and ends within `TIMEOUT`."""
    found, deadline = b"", time.monotonic() + TIMEOUT
    while part := answer.read1(LONGEST):
        found += part
        if len(found) > LONGEST or time.monotonic() > deadline:
            raise http.client.HTTPException("its answer does not end")
    return found


def probe(address: str) -> Message | None:
    """Return the headers of what this machine's own service answers at *address*, if any does."""
    try:
        with build_opener(_Staying, ProxyHandler({})).open(address, timeout=PROBE) as answer:
            headers: Message = answer.headers
            return headers
    except HTTPError as exc:
        exc.close()
        return exc.headers
    except (OSError, http.client.HTTPException):
        return None


def authorise(token: str, source: str) -> dict[str, str]:
    """Return the header that shows *token*, which *source* gave.

    Raises:
        KeyUnusable: If it cannot be one; the error does not repeat it.
    """
    if not token or not all("!" <= letter <= "~" for letter in token):
        raise KeyUnusable(f"{source} gave no token", hint="a token has no blanks or line breaks")
    return {"Authorization": f"Bearer {token}"}


def parse_object(text: bytes, what: str, hint: str) -> Mapping[str, Any]:
    """Return the JSON object in *text*, which messages call *what*.

    Raises:
        KeyUnusable: If it is none; the error does not repeat it.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise KeyUnusable(f"{what} is no JSON object", hint=hint)
    return found


def take(found: Mapping[str, Any], name: str, what: str, hint: str) -> str:
    """Return the text *name* of *found*, which messages call *what*.

    Raises:
        KeyUnusable: If there is none.
    """
    text = found.get(name)
    if not isinstance(text, str) or not text:
        raise KeyUnusable(f"{what} holds no {name}", hint=hint)
    return text


def _describe_refusal(service: str, server: str, error: HTTPError, hint: str) -> Refused:
    return Refused(
        f"{service} refused at {server}: {error.code} {_read_words(error)[:SHOWN]}",
        hint=hint,
        status=error.code,
        headers=error.headers,
    )


def _read_words(error: HTTPError) -> str:
    """Return a service's own words: Google and Azure write them alike, and tokens as OAuth does."""
    try:
        found = json.loads(_read(error))
    except (OSError, http.client.HTTPException, ValueError, RecursionError):
        found = None
    match found:
        case {"error": {"message": str(words)}}:
            return " ".join(words.split())
        case {"error": str(code), "error_description": str(words)}:
            return " ".join(f"{code}: {words}".split())
        case {"error": str(words)} | {"message": str(words)}:
            return " ".join(words.split())
    return error.reason

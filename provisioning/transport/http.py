"""JSON over HTTP as a forge speaks it: one connection pool, time-outs, and errors of ours."""

from __future__ import annotations

import http
import re
import threading
import time
from collections.abc import Callable, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any

import msgspec

from provisioning.core.model.errors import (
    InvalidConfiguration,
    ProvisioningError,
    RemoteRefused,
    RemoteUnreachable,
)
from provisioning.core.reviews.forge import Token

if TYPE_CHECKING:
    import httpx2

TIMEOUT = 30.0
"""Seconds that one call may take."""

ATTEMPTS = 4
"""How often a call that only reads is made, if it fails in passing."""

LONGEST_PAUSE = 20.0
"""Seconds that are waited at most between two tries."""

SHOWN = 300
"""Characters of an answer that a message repeats."""

_URL = re.compile(r"https?://[\w.:\[\]-]+(/[\w.~/-]*)?", re.ASCII)


class Reply(msgspec.Struct, frozen=True):
    """What a forge answered: the status, the JSON, and the words of a refusal.

    `total` is how many items a list has on all its pages, if the forge told; `date` is its own
    time, as HTTP writes it.
    """

    status: int
    data: Any
    message: str = ""
    total: int | None = None
    date: str = ""


class Api:
    """The API below *url*, as the owner of *token*; any thread may use it.

    *token* is one, or reads it anew for each call.

    Raises:
        InvalidConfiguration: If the address or the token cannot be one.
    """

    def __init__(
        self,
        url: str,
        token: str | Token,
        *,
        timeout: float = TIMEOUT,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not _URL.fullmatch(url):
            raise InvalidConfiguration(
                "forge.url is not the address of a forge",
                hint="write it as https://git.example.org, without user and password",
            )
        if isinstance(token, str):
            check_token(token, "forge.token_file")
        self.url = url.rstrip("/")
        self._token = token
        self._timeout = timeout
        self.sleep = sleep
        self._mutex = threading.Lock()
        self._client: httpx2.Client | None = None

    def _open(self) -> httpx2.Client:
        import httpx2

        with self._mutex:
            if self._client is None:
                self._client = httpx2.Client(
                    base_url=self.url,
                    headers={"Accept": "application/json"},
                    timeout=self._timeout,
                )
            return self._client

    def _authorise(self) -> dict[str, str]:
        token = self._token if isinstance(self._token, str) else self._token()
        return {"Authorization": f"token {token}"}

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()

    def read(self, path: str, **query: str | int) -> Reply:
        """Read what is at *path*; see `send`."""
        return self.send("GET", path, query=query)

    def read_all(self, path: str, **query: str | int) -> list[Any]:
        """Return every item of the list at *path*, page after page."""
        items: list[Any] = []
        for page in count(1):
            reply = self.read(path, **query, page=page, limit=50)
            items += reply.data or ()
            if not reply.data or (reply.total is not None and len(items) >= reply.total):
                break
        return items

    def send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str | int] | None = None,
        accepted: frozenset[int] = frozenset(),
    ) -> Reply:
        """Make one call.

        One that only reads is made again if it fails in passing, any other only if the forge
        asks to come back later: that one did nothing.

        Args:
            method: The HTTP method.
            path: Below `/api/v1`, with its parts quoted.
            body: What is sent as JSON.
            query: What is asked for.
            accepted: Statuses from 400 on that the caller wants to see.

        Raises:
            RemoteUnreachable: If it is unknown what became of it.
            RemoteRefused: If the forge says no.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                answer = self._exchange(method, path, body, query or {})
                return self._judge(method, path, answer, accepted)
            except RemoteUnreachable as exc:
                is_safe = method == "GET" or isinstance(exc, _Throttled)
                if attempt == ATTEMPTS or not is_safe:
                    raise
                self.sleep(min(exc.retry_after or 2.0**attempt, LONGEST_PAUSE))
        raise AssertionError  # the last attempt returns or raises

    def _exchange(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        query: Mapping[str, str | int],
    ) -> httpx2.Response:
        import httpx2

        headers = self._authorise()
        try:
            return self._open().request(
                method, f"/api/v1{path}", json=body, params=dict(query), headers=headers
            )
        except (httpx2.HTTPError, httpx2.InvalidURL) as exc:
            raise RemoteUnreachable(
                f"{self.url} does not answer: {type(exc).__name__}",
                hint="check forge.url and the network; run again when it answers",
            ) from exc

    def _judge(
        self, method: str, path: str, answer: httpx2.Response, accepted: frozenset[int]
    ) -> Reply:
        status = answer.status_code
        is_told = True
        try:
            data = answer.json() if answer.content else None
        except ValueError:
            data, is_told = None, False
        told = data.get("message") if isinstance(data, dict) else None
        message = str(told or answer.reason_phrase)[:SHOWN]
        if status < http.HTTPStatus.MULTIPLE_CHOICES and is_told:
            total = answer.headers.get("X-Total-Count", "")
            return Reply(
                status,
                data,
                total=int(total) if total.isdecimal() else None,
                date=answer.headers.get("Date", ""),
            )
        if status in accepted:
            return Reply(status, data, message)
        raise self._describe(method, path, answer, message)

    def _describe(
        self, method: str, path: str, answer: httpx2.Response, message: str
    ) -> ProvisioningError:
        status = answer.status_code
        where = f"{method} {self.url}{path}: {status} {message}"
        is_throttled = status == http.HTTPStatus.TOO_MANY_REQUESTS
        if is_throttled or status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
            kind = _Throttled if is_throttled else RemoteUnreachable
            error = kind(where, hint="the forge is busy or broken; run again later")
            error.retry_after = read_retry_after(answer.headers.get("Retry-After"))
            return error
        hints = {
            401: "the token is unknown or was revoked: make a new one, and write it to its file",
            403: "the token's owner may not do that; check rights, scopes and branch protection",
            404: "check forge.repository, and that the token's owner can see it",
            423: "the repository is archived",
        }
        if http.HTTPStatus.MULTIPLE_CHOICES <= status < http.HTTPStatus.BAD_REQUEST:
            place = answer.headers.get("Location", "nowhere")[:SHOWN]
            return RemoteRefused(
                f"{where}: it has moved to {place}",
                hint="set forge.url and forge.repository to the new place",
            )
        if status < http.HTTPStatus.MULTIPLE_CHOICES:
            return RemoteUnreachable(
                f"{method} {self.url}{path} was answered with something else than JSON",
                hint="is forge.url that of the forge, and no proxy before it?",
            )
        return RemoteRefused(where, hint=hints.get(status, "see the forge's own log"))


class _Throttled(RemoteUnreachable):
    """The forge asks for fewer calls, and did nothing."""


def read_retry_after(text: str | None) -> float | None:
    """Return the seconds that a `Retry-After` header asks for; None if it names a date."""
    return float(text) if text and text.isdecimal() else None


def check_token(token: str, place: str, setting: str = "forge.token_file") -> None:
    """Refuse what cannot stand in a header, before a message of somebody else's shows it.

    Raises:
        InvalidConfiguration: If *token*, which is from *place*, is no token.
    """
    if not token or any(not "!" <= letter <= "~" for letter in token):
        raise InvalidConfiguration(
            f"{place} holds no token: it is empty, or has a blank or a line break in it",
            hint=f"write the token alone into the file of {setting}",
        )

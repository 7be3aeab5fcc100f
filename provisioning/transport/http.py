"""The one HTTP client: connections, timeouts, retries and limits by one policy.

It follows no redirect, because that would forward the token, and takes the proxies that the
environment names. An answer of any status is returned; the caller judges it.
"""

from __future__ import annotations

import http
import re
import threading
import time
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from itertools import count
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from provisioning.core.model.errors import InvalidConfiguration, RemoteUnreachable

if TYPE_CHECKING:
    import httpx2

_URL = re.compile(r"https?://[\w.:\[\]-]+(/[\w.~/-]*)?", re.ASCII)


class HttpPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of a call; times are in seconds.

    Args:
        timeout: To connect, and between two parts of an answer.
        deadline: For a call with all its attempts; none begins after it.
        max_attempts: The most attempts of a call.
        max_pause: The longest pause between two attempts.
        max_size: The most bytes of an answer.
    """

    timeout: float = 30.0
    deadline: float = 180.0
    max_attempts: int = 4
    max_pause: float = 20.0
    max_size: int = 64 * 1024 * 1024


DEFAULT_POLICY = HttpPolicy()


class HttpReply(msgspec.Struct, frozen=True):
    """An answer: its status, the reason that HTTP gives for it, its headers and its body."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_throttled(self) -> bool:
        """True if the server asks for fewer calls, and did nothing."""
        return self.status == http.HTTPStatus.TOO_MANY_REQUESTS

    @property
    def is_failed(self) -> bool:
        """True if the server failed."""
        return self.status >= http.HTTPStatus.INTERNAL_SERVER_ERROR

    @property
    def retry_after(self) -> float | None:
        """The seconds that `Retry-After` asks for; None if it names none, or a date."""
        text = self.headers.get("Retry-After", "")
        return float(text) if text.isdecimal() else None


def _is_private(url: str) -> bool:
    """Return whether what is sent to *url* is encrypted, or stays on this machine."""
    parts = urlsplit(url)
    if parts.scheme == "https" or parts.hostname == "localhost":
        return True
    try:
        return ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


class HttpClient:
    """A client of the server at *url*, which *setting* names; any thread may use it.

    Raises:
        InvalidConfiguration: If *url* is no address, or is http off this machine.
    """

    def __init__(
        self,
        url: str,
        *,
        setting: str,
        policy: HttpPolicy = DEFAULT_POLICY,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        if not _URL.fullmatch(url):
            raise InvalidConfiguration(
                f"{setting} is no address",
                hint="write it as https://git.example.org, without user and password",
            )
        if not _is_private(url):
            raise InvalidConfiguration(
                f"{setting} is {url}, and everybody on the way could read the token",
                hint="write it as https://…; http:// is for this machine alone",
            )
        self.url = url.rstrip("/")
        self.sleep = sleep
        self._setting = setting
        self._policy = policy
        self._now = now
        self._mutex = threading.Lock()
        self._client: httpx2.Client | None = None

    def close(self) -> None:
        """Close the connections."""
        with self._mutex:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        headers: Callable[[], Mapping[str, str]],
        body: bytes | None = None,
        query: Mapping[str, str | int] | None = None,
    ) -> HttpReply:
        """Make one call, and repeat it while its failure is transient.

        A `GET` is repeated after any failure. Another method is repeated only after 429, with
        which the server promises that it did nothing.

        Args:
            method: The HTTP method.
            path: The path below the address, with its parts quoted.
            headers: Builds the headers, anew for each attempt: a token may change.
            body: The content, JSON.
            query: The parameters.

        Raises:
            RemoteUnreachable: If it is unknown whether the call had an effect.
        """
        until = self._now() + self._policy.deadline
        for attempt in count(1):
            outcome = self._attempt(method, path, headers(), body, query or {}, until)
            pause = self._compute_pause(method, outcome, attempt)
            if pause is None or self._now() + pause > until:
                break
            self.sleep(pause)
        if isinstance(outcome, RemoteUnreachable):
            raise outcome
        return outcome

    def _compute_pause(
        self, method: str, outcome: HttpReply | RemoteUnreachable, attempt: int
    ) -> float | None:
        """Return the seconds until the next attempt; None if there is none."""
        if isinstance(outcome, HttpReply) and outcome.is_throttled:
            is_transient = True
        else:
            has_failed = isinstance(outcome, RemoteUnreachable) or outcome.is_failed
            is_transient = has_failed and method == "GET"
        if attempt == self._policy.max_attempts or not is_transient:
            return None
        return min(outcome.retry_after or 2.0**attempt, self._policy.max_pause)

    def _attempt(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        query: Mapping[str, str | int],
        until: float,
    ) -> HttpReply | RemoteUnreachable:
        import httpx2

        if body is not None:
            headers = {**headers, "Content-Type": "application/json"}
        try:
            with self._open().stream(
                method, f"{self.url}{path}", content=body, params=dict(query), headers=headers
            ) as answer:
                return HttpReply(
                    answer.status_code,
                    answer.reason_phrase,
                    answer.headers,
                    self._read(answer, until),
                )
        except (httpx2.HTTPError, httpx2.InvalidURL) as exc:
            error = RemoteUnreachable(
                f"{self.url} does not answer: {type(exc).__name__}",
                hint=f"check {self._setting} and the network; run again when it answers",
            )
            error.__cause__ = exc
            return error

    def _read(self, answer: httpx2.Response, until: float) -> bytes:
        size, parts = 0, []
        for part in answer.iter_bytes():
            size += len(part)
            if size > self._policy.max_size or self._now() > until:
                raise RemoteUnreachable(
                    f"{self.url} sends more than {self._policy.max_size >> 20} MiB, or for more "
                    f"than {self._policy.deadline:g} s",
                    hint=f"is {self._setting} right?",
                )
            parts.append(part)
        return b"".join(parts)

    def _open(self) -> httpx2.Client:
        import httpx2

        with self._mutex:
            if self._client is None:
                self._client = httpx2.Client(timeout=self._policy.timeout, follow_redirects=False)
            return self._client


def check_token(token: str, place: str, setting: str = "forge.token_file") -> None:
    """Refuse a text that cannot stand in a header, before an error of the library shows it.

    Raises:
        InvalidConfiguration: If *token*, which is from *place*, is no token.
    """
    if not token or any(not "!" <= letter <= "~" for letter in token):
        raise InvalidConfiguration(
            f"{place} holds no token: it is empty, or has a blank or a line break in it",
            hint=f"write the token alone into the file of {setting}",
        )

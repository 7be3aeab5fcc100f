"""Gitea's API: JSON below `/api/v1`, pages of lists, and its errors as ours."""

from __future__ import annotations

import http
import json
import time
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any
from urllib.parse import quote

import msgspec

from provisioning.core.model.errors import ProvisioningError, RemoteRefused, RemoteUnreachable
from provisioning.core.reviews.forge import Token
from provisioning.transport.http import (
    DEFAULT_POLICY,
    HttpClient,
    HttpPolicy,
    HttpReply,
    check_token,
)

SHOWN = 300
"""Characters of an answer that a message repeats."""

PAGE = 50
"""Items of a list that are read at once."""

_HINTS = {
    401: "the token is unknown or was revoked: make a new one, and write it to its file",
    403: "the token's owner may not do that; check rights, scopes and branch protection",
    404: "check forge.repository, and that the token's owner can see it",
    423: "the repository is archived",
}


class Reply(msgspec.Struct, frozen=True):
    """An answer: the status, the JSON, and the text of a refusal.

    `total` is the number of items of a list on all its pages, if Gitea says it; `date` is the
    time of the server, as HTTP writes it.
    """

    status: int
    data: Any
    message: str = ""
    total: int | None = None
    date: str = ""


def quote_repository(repository: str) -> str:
    """Return the path of *repository*, `owner/name`, below that of the API."""
    owner, _, name = repository.partition("/")
    return f"/repos/{quote(owner)}/{quote(name)}"


class GiteaApi:
    """The API of the Gitea at *url*, used with *token*; any thread may use it.

    *token* is one, or reads it anew for each attempt.

    Raises:
        InvalidConfiguration: If the address or the token cannot be one.
    """

    def __init__(
        self,
        url: str,
        token: str | Token,
        *,
        policy: HttpPolicy = DEFAULT_POLICY,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if isinstance(token, str):
            check_token(token, "forge.token_file")
        self._client = HttpClient(url, setting="forge.url", policy=policy, sleep=sleep)
        self._token = token
        self.url = self._client.url
        self.sleep = sleep

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def read(self, path: str, **query: str | int) -> Reply:
        """Read the resource at *path*; see `send`."""
        return self.send("GET", path, query=query)

    def read_all(self, path: str, **query: str | int) -> list[Any]:
        """Return every item of the list at *path*, page after page."""
        items: list[Any] = []
        for page in count(1):
            reply = self.read(path, **query, page=page, limit=PAGE)
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
        """Make one call; see `HttpClient.send` for the attempts.

        Args:
            method: The HTTP method.
            path: The path below `/api/v1`, with its parts quoted.
            body: The content, which is sent as JSON.
            query: The parameters.
            accepted: Statuses from 400 on that are returned and not raised.

        Raises:
            RemoteUnreachable: If it is unknown whether the call had an effect.
            RemoteRefused: If Gitea refuses it.
        """
        content = None if body is None else json.dumps(body).encode()
        answer = self._client.send(
            method, f"/api/v1{path}", headers=self._build_headers, body=content, query=query
        )
        return self._judge(f"{method} {self.url}{path}", answer, accepted)

    def _build_headers(self) -> dict[str, str]:
        token = self._token if isinstance(self._token, str) else self._token()
        return {"Accept": "application/json", "Authorization": f"token {token}"}

    def _judge(self, call: str, answer: HttpReply, accepted: frozenset[int]) -> Reply:
        try:
            data, is_json = (json.loads(answer.body) if answer.body else None), True
        except ValueError:
            data, is_json = None, False
        text = data.get("message") if isinstance(data, dict) else None
        message = str(text or answer.reason)[:SHOWN]
        if answer.status < http.HTTPStatus.MULTIPLE_CHOICES and is_json:
            total = answer.headers.get("X-Total-Count", "")
            return Reply(
                answer.status,
                data,
                total=int(total) if total.isdecimal() else None,
                date=answer.headers.get("Date", ""),
            )
        if answer.status in accepted:
            return Reply(answer.status, data, message)
        raise _describe(call, answer, message)


def _describe(call: str, answer: HttpReply, message: str) -> ProvisioningError:
    status, where = answer.status, f"{call}: {answer.status} {message}"
    if answer.is_throttled or answer.is_failed:
        error = RemoteUnreachable(where, hint="the forge is busy or broken; run again later")
        error.retry_after = answer.retry_after
        return error
    if status >= http.HTTPStatus.BAD_REQUEST:
        return RemoteRefused(where, hint=_HINTS.get(status, "see the forge's own log"))
    if status >= http.HTTPStatus.MULTIPLE_CHOICES:
        place = answer.headers.get("Location", "nowhere")[:SHOWN]
        return RemoteRefused(
            f"{where}: it has moved to {place}",
            hint="set forge.url and forge.repository to the new place",
        )
    return RemoteUnreachable(
        f"{call} was answered with something else than JSON",
        hint="is forge.url that of the forge, and no proxy before it?",
    )

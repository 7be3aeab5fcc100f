"""Gitea's pull requests: comments, pushes, statuses, approvals, and who may do what.

The calls are those of `/api/swagger` of Gitea 1.26.
"""

from __future__ import annotations

import http
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from provisioning.core.model.errors import HeadMoved, RemoteRefused
from provisioning.core.model.ids import CommitId
from provisioning.core.reviews.forge import (
    CommitStatus,
    Permission,
    PullComment,
    PullRequest,
    Push,
    State,
)
from provisioning.forges.gitea.api import GiteaApi, quote_repository

RECENT = 50
"""The closed pull requests that are read, newest first."""

_MISSING = frozenset({http.HTTPStatus.NOT_FOUND})
_EXISTS = frozenset({http.HTTPStatus.CONFLICT})
_PAUSES = (0.5, 1.0, 2.0, 4.0)
"""Seconds between attempts to merge a pull request that Gitea still checks."""

_MOVED = "out of date"
"""The text of Gitea for a branch that moved before a merge; a conflict has the same status."""

_UNMERGED = frozenset({http.HTTPStatus.METHOD_NOT_ALLOWED, http.HTTPStatus.CONFLICT})
_PERMISSIONS = {
    "read": Permission.READ,
    "write": Permission.WRITE,
    "admin": Permission.ADMIN,
    "owner": Permission.ADMIN,
}


class GiteaPulls:
    """The pull requests of *repository* (`owner/name`); a `core.reviews.forge.Forge`."""

    def __init__(self, api: GiteaApi, repository: str) -> None:
        self._api = api
        self._repository = repository
        self._path = quote_repository(repository)
        self._login = ""

    def read_login(self) -> str:
        if not self._login:
            self._login = str(self._api.read("/user").data["login"])
        return self._login

    # Pull requests

    def read_pull(self, number: int) -> PullRequest:
        return parse_pull(self._api.read(f"{self._path}/pulls/{number}").data)

    def list_open_pulls(self) -> list[PullRequest]:
        found = self._api.read_all(f"{self._path}/pulls", state="open", sort="oldest")
        return [parse_pull(item) for item in found]

    def list_closed_pulls(self) -> list[PullRequest]:
        path = f"{self._path}/pulls"
        query: dict[str, str | int] = {
            "state": "closed",
            "sort": "recentupdate",
            "page": 1,
            "limit": RECENT,
        }
        reply = self._api.send("GET", path, query=query, accepted=_MISSING)
        if reply.status in _MISSING:  # Gitea has not noticed the first push yet
            if self._api.read(self._path).data["empty"]:
                return []
            reply = self._api.read(path, **query)
        pulls = [parse_pull(item) for item in reply.data]
        return sorted(pulls, key=lambda each: (each.merged_at, each.number))

    def find_merged_pull(self, commit: CommitId) -> PullRequest | None:
        path = f"{self._path}/commits/{commit}/pull"
        reply = self._api.send("GET", path, accepted=_MISSING)
        pull = None if reply.status in _MISSING else parse_pull(reply.data)
        return pull if pull and pull.merged == commit else None

    def list_pushes(self, number: int) -> list[Push]:
        found = self._api.read_all(f"{self._path}/issues/{number}/timeline")
        pushes = [(item["id"], item["body"]) for item in found if item["type"] == "pull_push"]
        heads = [(name, json.loads(body).get("commit_ids") or [""]) for name, body in pushes]
        return [Push(int(name), CommitId(ids[-1])) for name, ids in sorted(heads)]

    def count_approvals(self, number: int, head: CommitId) -> int:
        found = self._api.read_all(f"{self._path}/pulls/{number}/reviews")
        violations: dict[str, bool] = {}
        for item in sorted(found, key=lambda each: int(each["id"])):
            if not item.get("official"):  # of somebody who may not write
                continue
            if item["state"] in {"APPROVED", "REQUEST_CHANGES"} and item.get("user"):
                is_valid = not item.get("dismissed") and not item.get("stale")
                is_approval = item["state"] == "APPROVED" and item["commit_id"] == head
                violations[item["user"]["login"]] = is_approval and is_valid
        return sum(violations.values())

    def merge_pull(self, number: int, head: CommitId) -> None:
        body = {"Do": "merge", "head_commit_id": head}
        path = f"{self._path}/pulls/{number}/merge"
        for pause in (*_PAUSES, 0.0):
            reply = self._api.send("POST", path, body, accepted=_UNMERGED)
            if not pause or "try again" not in reply.message.lower():
                break
            self._api.sleep(pause)
        if reply.status == http.HTTPStatus.CONFLICT and _MOVED in reply.message:
            raise HeadMoved(f"#{number} is no longer at {head[:10]}: {reply.message}")
        if reply.status in _UNMERGED:
            raise RemoteRefused(
                f"#{number} cannot be merged: {reply.message}",
                hint="does it conflict with its branch, or does the branch's protection ask for "
                "more approvals or checks?",
            )

    def create_pull(self, head: str, base: str, title: str, body: str) -> None:
        asked = {"head": head, "base": base, "title": title, "body": body}
        reply = self._api.send("POST", f"{self._path}/pulls", asked, accepted=_EXISTS)
        if reply.status in _EXISTS:
            raise HeadMoved(f"{head} has a pull request already: {reply.message}")

    def update_pull(self, number: int, body: str) -> None:
        self._api.send("PATCH", f"{self._path}/pulls/{number}", {"body": body})

    def close_pull(self, number: int) -> None:
        self._api.send("PATCH", f"{self._path}/pulls/{number}", {"state": "closed"})

    # Comments

    def list_comments(self, number: int) -> list[PullComment]:
        found = self._api.read(f"{self._path}/issues/{number}/comments").data  # comes whole
        return sorted((_parse_comment(item) for item in found), key=lambda item: item.id)

    def create_comment(self, number: int, body: str) -> PullComment:
        path = f"{self._path}/issues/{number}/comments"
        return _parse_comment(self._api.send("POST", path, {"body": body}).data)

    def update_comment(self, comment: int, body: str) -> None:
        self._api.send("PATCH", f"{self._path}/issues/comments/{comment}", {"body": body})

    def delete_comment(self, comment: int) -> None:
        path = f"{self._path}/issues/comments/{comment}"
        self._api.send("DELETE", path, accepted=_MISSING)

    # Statuses and labels

    def list_statuses(self, commit: CommitId) -> dict[str, CommitStatus]:
        found = self._api.read_all(f"{self._path}/commits/{commit}/statuses")
        newest_last = sorted(found, key=lambda each: int(each["id"]))
        return {item["context"]: _parse_status(item) for item in newest_last}

    def set_status(self, commit: CommitId, status: CommitStatus) -> None:
        body = {
            "context": status.context,
            "state": str(status.state),
            "description": status.description,
            "target_url": status.url,
        }
        self._api.send("POST", f"{self._path}/statuses/{commit}", body)

    def set_labels(self, number: int, labels: Mapping[str, bool]) -> None:
        known = {item["name"]: item["id"] for item in self._api.read_all(f"{self._path}/labels")}
        path = f"{self._path}/issues/{number}/labels"
        wanted = [known[name] for name, is_on in labels.items() if is_on and name in known]
        if wanted:
            self._api.send("POST", path, {"labels": wanted})
        for name, is_on in labels.items():
            if not is_on and name in known:
                self._api.send("DELETE", f"{path}/{known[name]}", accepted=_MISSING)

    # People and places

    def read_permission(self, login: str) -> Permission:
        path = f"{self._path}/collaborators/{quote(login, safe='')}/permission"
        reply = self._api.send("GET", path, accepted=_MISSING)
        if reply.status in _MISSING:
            return Permission.NONE
        return _PERMISSIONS.get(str(reply.data["permission"]), Permission.NONE)

    def get_file_url(self, branch: str, path: str) -> str:
        return f"{self._api.url}/{self._repository}/src/branch/{quote(branch)}/{quote(path)}"


def parse_pull(data: Mapping[str, Any]) -> PullRequest:
    """Read a pull request of the API."""
    base, head = data["base"], data["head"]
    is_merged = bool(data["merged"])
    return PullRequest(
        number=int(data["number"]),
        author=str((data["user"] or {}).get("login", "")),
        head=CommitId(head["sha"]),
        head_branch=str(head["ref"]),
        base_branch=str(base["ref"]),
        is_open=data["state"] == "open",
        is_fork=head.get("repo_id") != base.get("repo_id"),
        url=str(data["html_url"]),
        merged=CommitId(data["merge_commit_sha"]) if is_merged else None,
        merged_at=str(data["merged_at"] or ""),
        updated_at=str(data["updated_at"] or ""),
        body=str(data["body"] or ""),
        labels=frozenset(item["name"] for item in data["labels"] or ()),
    )


def _parse_comment(data: Mapping[str, Any]) -> PullComment:
    return PullComment(
        id=int(data["id"]),
        author=str((data["user"] or {}).get("login", "")),
        body=str(data["body"]),
        url=str(data["html_url"]),
        is_edited=data["updated_at"] != data["created_at"],
    )


def _parse_status(data: Mapping[str, Any]) -> CommitStatus:
    known = set(State)
    return CommitStatus(
        context=str(data["context"]),
        state=State(data["status"]) if data["status"] in known else State.ERROR,
        description=str(data["description"]),
        url=str(data["target_url"]),
    )

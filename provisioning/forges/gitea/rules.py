"""The rules of a repository at Gitea, read and changed.

The calls are those of `/api/swagger` of Gitea 1.26.
"""

from __future__ import annotations

import http
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

from msgspec.structs import replace

from provisioning.core.model.errors import InvalidConfiguration, ProvisioningError, RemoteRefused
from provisioning.core.reviews.forge import Permission, Token
from provisioning.forges.gitea.api import GiteaApi, quote_repository
from provisioning.forges.setup.facts import EVENTS, Facts, Hook, Hosting, Protection
from provisioning.forges.setup.findings import AddLabel, Change, Protect, SetHook, SwitchOn

_REFUSED = frozenset({http.HTTPStatus.FORBIDDEN, http.HTTPStatus.NOT_FOUND})
_MISSING = frozenset({http.HTTPStatus.NOT_FOUND})
_UNKNOWN = frozenset({http.HTTPStatus.UNAUTHORIZED})
_PAUSES = (0.3, 0.6, 1.2)
"""Seconds between reads of a repository that seems empty."""

_SCOPE = "required scope"
"""The text of Gitea for a token that lacks a scope; Gitea checks this before the resource."""


class GiteaRules:
    """The rules of *repository* (`owner/name`). *secret* reads the webhook's."""

    def __init__(
        self,
        api: GiteaApi,
        repository: str,
        secret: Token,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._api = api
        self._secret = secret
        self._clock = clock
        self._path = quote_repository(repository)

    # Reading

    def read_facts(self, branch: str) -> Facts:
        """Return the facts of the repository, as far as the token may read them.

        Nothing changes: write access is tried on objects that do not exist.
        """
        facts = Facts(refused="forge")
        try:
            reply = self._api.send("GET", "/version", accepted=_UNKNOWN)
            facts = replace(facts, refused="token", skew=self._measure(reply.date))
            if reply.status not in _UNKNOWN:
                facts = replace(facts, version=str(reply.data["version"]))
            return self._read_owned(facts, branch)
        except InvalidConfiguration as exc:  # of the file that should hold the token
            return replace(facts, refused="token", refusal=exc)
        except ProvisioningError as exc:
            return replace(facts, refusal=exc)

    def _read_owned(self, facts: Facts, branch: str) -> Facts:
        """Return what the token's owner can see besides *facts*."""
        facts = replace(facts, missing_scopes=self._list_missing_scopes())
        if facts.missing_scopes:
            return facts
        facts = replace(facts, login=str(self._api.read("/user").data["login"]))
        try:
            return self._read_repository(facts, branch)
        except ProvisioningError as exc:
            return replace(facts, refused="repository", refusal=exc)

    def _measure(self, date: str) -> float:
        """Return by how many seconds the forge's clock is ahead; HTTP dates are whole ones."""
        return parsedate_to_datetime(date).timestamp() - self._clock() if date else 0.0

    def _list_missing_scopes(self) -> tuple[str, ...]:
        asked = (
            ("read:user", "GET", "/user"),
            ("write:repository", "DELETE", f"{self._path}/hooks/0"),
            ("write:issue", "DELETE", f"{self._path}/issues/comments/0"),
        )
        return tuple(scope for scope, method, path in asked if self._lacks_scope(method, path))

    def _lacks_scope(self, method: str, path: str) -> bool:
        reply = self._api.send(method, path, accepted=_REFUSED)
        return reply.status == http.HTTPStatus.FORBIDDEN and _SCOPE in reply.message

    def _read_repository(self, facts: Facts, branch: str) -> Facts:
        data = self._read_noted()
        found = self._api.send("GET", f"{self._path}/branches/{quote(branch)}", accepted=_MISSING)
        hosting = _parse_hosting(data, has_branch=found.status == http.HTTPStatus.OK)
        facts = replace(facts, hosting=hosting)
        labels = self._api.read_all(f"{self._path}/labels")
        facts = replace(facts, labels=frozenset(str(label["name"]) for label in labels))
        if hosting.permission < Permission.ADMIN:
            return facts
        rules = self._api.read(f"{self._path}/branch_protections").data  # comes whole
        hooks = self._api.read_all(f"{self._path}/hooks")
        return replace(
            facts,
            protections=tuple(_parse_protection(rule) for rule in rules),
            hooks=tuple(_parse_hook(hook) for hook in hooks),
        )

    def _read_noted(self) -> Any:
        """Read the repository; Gitea notes a while after the first push that it is not empty."""
        for pause in _PAUSES:
            data = self._api.read(self._path).data
            if not data["empty"]:
                return data
            self._api.sleep(pause)
        return self._api.read(self._path).data

    # Changing

    def apply(self, change: Change) -> None:
        """Make one change.

        Raises:
            RemoteRefused: If Gitea refuses.
            RemoteUnreachable: If it is unknown whether it was made.
        """
        match change:
            case AddLabel(label):
                body = {
                    "name": label.name,
                    "description": label.description,
                    "color": f"#{label.colour}",
                }
                self._api.send("POST", f"{self._path}/labels", body)
            case SwitchOn(names):
                self._api.send("PATCH", self._path, dict.fromkeys(names, True))
            case Protect(None, new):
                body = {"rule_name": new.pattern} | _shape_protection(None, new)
                self._api.send("POST", f"{self._path}/branch_protections", body)
            case Protect(old, new):
                name = quote(new.pattern, safe="")
                body = _shape_protection(old, new)
                self._api.send("PATCH", f"{self._path}/branch_protections/{name}", body)
            case SetHook(url, olds):
                self._set_hook(url, olds)

    def _set_hook(self, url: str, olds: tuple[int, ...]) -> None:
        """Replace the hook, because Gitea cannot change its secret."""
        body = {
            "type": "gitea",
            "active": True,
            "events": sorted(EVENTS - {"pull_request"} | {"pull_request_only"}),
            "config": {"url": url, "content_type": "json", "secret": self._secret()},
        }
        for old in olds:
            self._api.send("DELETE", f"{self._path}/hooks/{old}", accepted=_MISSING)
        reply = self._api.send(
            "POST",
            f"{self._path}/hooks",
            body,
            accepted=frozenset({http.HTTPStatus.UNPROCESSABLE_ENTITY}),
        )
        if reply.status == http.HTTPStatus.UNPROCESSABLE_ENTITY:
            raise RemoteRefused(
                f"the webhook {url} cannot be added: {reply.message}",
                hint="name an address that begins with http:// or https://",
            )


def _parse_hosting(data: Mapping[str, Any], *, has_branch: bool) -> Hosting:
    rights = data.get("permissions") or {}
    names = (("admin", Permission.ADMIN), ("push", Permission.WRITE), ("pull", Permission.READ))
    return Hosting(
        permission=next((item for name, item in names if rights.get(name)), Permission.NONE),
        is_archived=bool(data["archived"]),
        is_empty=bool(data["empty"]),
        is_mirror=bool(data["mirror"]),
        has_branch=has_branch,
        switches={name: value for name, value in data.items() if isinstance(value, bool)},
    )


def _parse_protection(data: Mapping[str, Any]) -> Protection:
    pushers = None
    if not data["enable_push"]:
        pushers = frozenset[str]()
    elif data["enable_push_whitelist"]:
        pushers = frozenset(data["push_whitelist_usernames"] or ())
    mergers = frozenset(data["merge_whitelist_usernames"] or ())
    return Protection(
        pattern=str(data["rule_name"]),
        pushers=pushers,
        can_force=bool(data["enable_force_push"]),
        mergers=mergers if data["enable_merge_whitelist"] else None,
        checks=tuple(data["status_check_contexts"] or ()) if data["enable_status_check"] else (),
        approvals=int(data["required_approvals"]),
        drops_stale=bool(data["dismiss_stale_approvals"] or data["ignore_stale_approvals"]),
        needs_signatures=bool(data["require_signed_commits"]),
        guarded_files=str(data["protected_file_patterns"]),
        priority=int(data["priority"]),
    )


def _shape_protection(old: Protection | None, new: Protection) -> dict[str, Any]:
    """Return the body that turns *old* into *new*; the API keeps what it does not name."""
    before = old or Protection(pattern=new.pattern)
    body: dict[str, Any] = {}
    if old is None or new.pushers != before.pushers:
        body["enable_push"] = new.pushers is None or bool(new.pushers)
        body["enable_push_whitelist"] = new.pushers is not None
        body["push_whitelist_usernames"] = sorted(new.pushers or ())
    if new.mergers != before.mergers:
        body["merge_whitelist_usernames"] = sorted(new.mergers or ())
    if new.checks != before.checks:
        body |= {"enable_status_check": True, "status_check_contexts": list(new.checks)}
    changed = {
        "enable_force_push": (before.can_force, new.can_force),
        "required_approvals": (before.approvals, new.approvals),
        "dismiss_stale_approvals": (before.drops_stale, new.drops_stale),
        "require_signed_commits": (before.needs_signatures, new.needs_signatures),
        "protected_file_patterns": (before.guarded_files, new.guarded_files),
        "priority": (before.priority, new.priority),
    }
    return body | {key: after for key, (was, after) in changed.items() if was != after}


def _parse_hook(data: Mapping[str, Any]) -> Hook:
    config = data["config"] or {}
    return Hook(
        id=int(data["id"]),
        url=str(config.get("url", "")),
        events=frozenset(data["events"] or ()),
        is_active=bool(data["active"]),
        branches=str(data["branch_filter"]),
        sends_json=config.get("content_type") == "json",
        made=datetime.fromisoformat(data["created_at"]).timestamp(),
    )

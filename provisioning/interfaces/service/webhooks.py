"""Receives webhooks: signed, small, and each delivery once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

import msgspec

from provisioning.controller.workspace_controller import WorkspaceController
from provisioning.core.model.errors import ProvisioningError
from provisioning.forges.registry import list_hook_formats
from provisioning.forges.webhooks import HookFormat, PullHint, PushHint, UnreadableHook

LIMIT = 1 << 20
"""Bytes of the largest body that is read; those of forges have some 10 KiB."""

REMEMBERED = 10_000
"""Deliveries that are remembered, so that a replayed one is refused."""


class HookReply(msgspec.Struct, frozen=True):
    """The answer, which is also the log's sentence; it never says why a signature is wrong."""

    status: HTTPStatus
    text: str


_UNSIGNED = HookReply(HTTPStatus.FORBIDDEN, "the signature does not match the webhook's secret")


@dataclass(slots=True)
class Webhooks:
    """The webhooks of every workspace, by its name."""

    workspace_controllers: Mapping[str, WorkspaceController]
    formats: Sequence[HookFormat] = field(default_factory=list_hook_formats)
    _seen: OrderedDict[str, None] = field(default_factory=OrderedDict)
    _mutex: threading.Lock = field(default_factory=threading.Lock)

    def take(self, name: str, headers: Mapping[str, str], body: bytes) -> HookReply:
        """Take one delivery to the workspace *name*."""
        kind, refusal = self._find_format(headers), self.check_head(name, headers)
        if kind is None or refusal:
            return refusal or _UNSIGNED
        workspace_controller = self.workspace_controllers[name]
        try:
            secret = workspace_controller.read_hook_secret()
        except ProvisioningError as exc:
            return HookReply(HTTPStatus.SERVICE_UNAVAILABLE, f"{name}: {exc.code}")
        if not kind.is_signed(body, headers[kind.signature], secret):
            return _UNSIGNED
        delivery = headers.get(kind.delivery, "")
        if not delivery or not self._is_first(f"{name}/{delivery}"):
            return HookReply(HTTPStatus.CONFLICT, "this delivery has arrived before")
        try:
            hint = kind.parse(headers.get(kind.event, ""), body)
        except UnreadableHook as exc:
            return HookReply(HTTPStatus.BAD_REQUEST, str(exc))
        match hint:
            case PushHint(branch) if workspace_controller.handle_push(branch):
                return HookReply(HTTPStatus.ACCEPTED, f"fetching {branch}")
            case PullHint(number):
                workspace_controller.request_review(number)
                return HookReply(HTTPStatus.ACCEPTED, f"reviewing #{number}")
        return HookReply(HTTPStatus.OK, "nothing to do")

    def check_head(self, name: str, headers: Mapping[str, str]) -> HookReply | None:
        """Return the refusal of a delivery by its head alone; None if its body must be read."""
        if name not in self.workspace_controllers:
            return HookReply(HTTPStatus.NOT_FOUND, f"the service has no workspace {name!r}")
        return None if self._find_format(headers) else _UNSIGNED

    def _find_format(self, headers: Mapping[str, str]) -> HookFormat | None:
        """Return the format whose signature a delivery has, if that can be one."""
        signed = (it for it in self.formats if it.pattern.fullmatch(headers.get(it.signature, "")))
        return next(signed, None)

    def _is_first(self, delivery: str) -> bool:
        with self._mutex:
            if delivery in self._seen:
                return False
            self._seen[delivery] = None
            while len(self._seen) > REMEMBERED:
                self._seen.popitem(last=False)
            return True

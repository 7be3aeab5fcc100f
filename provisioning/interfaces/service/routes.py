"""The two doors: one for the network, which tells and takes hints, and one that is obeyed.

The network's door serves health, metrics and webhooks. What the control door is told is done;
so it is a Unix socket that only its owner may open.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from typing import Any

from msgspec import to_builtins
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from provisioning.controller.controller import Controller
from provisioning.core.model.errors import InvalidArgument, ProvisioningError
from provisioning.core.scheduling.workqueue import Key
from provisioning.interfaces.schema.plans import ErrorDocument
from provisioning.interfaces.schema.service import shape_service, shape_work
from provisioning.interfaces.service.event_bus import Bus, Shape
from provisioning.interfaces.service.webhooks import LIMIT, HookReply, Hooks

BODY_SECONDS = 10.0
"""Seconds in which a whole body must have come."""

Redact = Callable[[str], str]


class _TooLarge(Exception):
    """A body is larger than any of ours."""


def build_public(
    service: Controller,
    hooks: Hooks,
    render_metrics: Callable[[], tuple[bytes, str]],
    note_hook: Callable[[str, HookReply], None],
    redact: Redact,
) -> Starlette:
    """Build the network's door: `/healthz`, `/readyz`, `/metrics` and `/hooks/WORKSPACE`."""

    async def take(name: str, request: Request) -> HookReply:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _read_body(request)
        except _TooLarge:
            return HookReply(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is too large")
        except (TimeoutError, ClientDisconnect):
            return HookReply(HTTPStatus.REQUEST_TIMEOUT, "the body did not come in time")
        return hooks.take(name, request.headers, body)

    async def hook(request: Request) -> Response:
        name = request.path_params["workspace"]
        reply = hooks.look(name, request.headers) or await take(name, request)
        note_hook(name, reply)
        return PlainTextResponse(reply.text + "\n", reply.status, {"Connection": "close"})

    return Starlette(
        routes=[
            *_build_health(service, render_metrics, redact),
            Route("/hooks/{workspace}", hook, methods=["POST"]),
        ]
    )


async def _read_body(request: Request) -> bytes:
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > LIMIT:
        raise _TooLarge
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LIMIT:
            raise _TooLarge
    return bytes(body)


def build_control(
    service: Controller,
    bus: Bus,
    render_metrics: Callable[[], tuple[bytes, str]],
    redact: Redact,
) -> Starlette:
    """Build the control door; see `docs/reference/serve.md`."""
    control = _Control(service, bus, redact)
    looks = (control.status, control.queue, control.events)
    orders = (control.pause, control.resume, control.drain, control.reload, control.reconcile)
    return Starlette(
        routes=[
            *_build_health(service, render_metrics, redact),
            *(Route(f"/{look.__name__}", look) for look in looks),
            *(Route(f"/{order.__name__}", order, methods=["POST"]) for order in orders),
        ],
        exception_handlers={ProvisioningError: control.refuse},
    )


class _Control:
    """What the control door answers; each method is the route of its name."""

    def __init__(self, service: Controller, bus: Bus, redact: Redact) -> None:
        self._service = service
        self._bus = bus
        self._redact = redact

    async def status(self, request: Request) -> Response:
        del request
        return self._answer(shape_service(self._service))

    async def queue(self, request: Request) -> Response:
        del request
        with self._service.worker_pool.open_queue() as found:
            work = found.list_work()
        now = self._service.worker_pool.now()
        return self._answer({"queue": [shape_work(item, now) for item in work]})

    async def events(self, request: Request) -> Response:
        del request
        return self._stream(self._bus.listen(lambda _: True))

    async def pause(self, request: Request) -> Response:
        key = self._find(request)
        with self._service.worker_pool.open_queue() as found:
            found.pause(key)
        return self._answer({"paused": str(key) if key else "all"})

    async def resume(self, request: Request) -> Response:
        key = self._find(request)
        with self._service.worker_pool.open_queue() as found:
            found.resume(key)
        return self._answer({"resumed": str(key) if key else "all"})

    async def drain(self, request: Request) -> Response:
        del request
        self._service.drain()
        return self._answer({"draining": True})

    async def reload(self, request: Request) -> Response:
        del request
        self._service.reload()
        return self._answer({"reloading": True})

    async def reconcile(self, request: Request) -> Response:
        key = self._find(request)
        if key is None:
            raise InvalidArgument("which infra?", hint="`provisioning serve status` lists them")
        self._service.check_begins(key)
        return self._stream(_follow(self._bus, self._service, key))

    async def refuse(self, request: Request, error: Exception) -> Response:
        del request
        assert isinstance(error, ProvisioningError)  # noqa: S101  that is what it is called for
        return self._answer(
            to_builtins(ErrorDocument.from_error(error)), HTTPStatus.UNPROCESSABLE_ENTITY
        )

    def _find(self, request: Request) -> Key | None:
        name = request.query_params.get("infra")
        return self._service.find_key(name) if name else None

    def _answer(self, shape: object, status: HTTPStatus = HTTPStatus.OK) -> Response:
        text = self._redact(json.dumps(shape, ensure_ascii=False))
        return Response(text, status, media_type="application/json")

    def _stream(self, shapes: AsyncIterator[Shape]) -> Response:
        async def lines() -> AsyncIterator[str]:
            async for shape in shapes:
                yield self._redact(json.dumps(shape, ensure_ascii=False)) + "\n"

        return StreamingResponse(lines(), media_type="application/x-ndjson")


async def _follow(bus: Bus, service: Controller, key: Key) -> AsyncIterator[Shape]:
    """Yield what happens to *key* from asking for it to the end of the cycle."""

    def is_about(shape: Shape) -> bool:
        return (shape.get("workspace"), shape.get("infra")) == (key.workspace, key.name)

    began = False
    async for shape in bus.listen(is_about, lambda: service.reconcile(key)):
        began = began or shape["action"] in {"cycle-begun", "defect"}
        if began:
            yield shape
        if began and shape["action"] in {"cycle-ended", "defect"}:
            return


def _build_health(
    service: Controller, render_metrics: Callable[[], tuple[bytes, str]], redact: Redact
) -> list[Route]:
    async def healthz(_: Request) -> Response:
        if service.is_alive:
            return PlainTextResponse("ok\n")
        return PlainTextResponse("the supervisor hangs\n", HTTPStatus.SERVICE_UNAVAILABLE)

    async def readyz(_: Request) -> Response:
        troubles = [redact(trouble) for trouble in service.list_troubles()]
        shape: dict[str, Any] = {"ready": not troubles, "troubles": troubles}
        code = HTTPStatus.SERVICE_UNAVAILABLE if troubles else HTTPStatus.OK
        return JSONResponse(shape, code)

    async def metrics(_: Request) -> Response:
        body, kind = await asyncio.to_thread(render_metrics)
        return Response(redact(body.decode()), media_type=kind)

    return [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
    ]

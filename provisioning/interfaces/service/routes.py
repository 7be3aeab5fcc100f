"""The routes of the two listeners: one at an HTTP address, one at the admin socket.

The HTTP listener serves health, metrics and webhooks. The admin socket takes commands, so it is
a Unix socket that only its owner may open.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus

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
from provisioning.interfaces.service.event_bus import EventBus, Shape
from provisioning.interfaces.service.webhooks import LIMIT, HookReply, Webhooks

BODY_SECONDS = 10.0
"""Seconds in which a whole body must arrive."""

Redact = Callable[[str], str]


class _TooLarge(Exception):
    """A body is larger than `LIMIT`."""


def build_public(
    controller: Controller,
    webhooks: Webhooks,
    render_metrics: Callable[[], tuple[bytes, str]],
    notify_webhook: Callable[[str, HookReply], None],
    redact: Redact,
) -> Starlette:
    """Build the public routes: `/healthz`, `/readyz`, `/metrics` and `/hooks/WORKSPACE`."""

    async def receive(name: str, request: Request) -> HookReply:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _read_body(request)
        except _TooLarge:
            return HookReply(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is too large")
        except (TimeoutError, ClientDisconnect):
            return HookReply(HTTPStatus.REQUEST_TIMEOUT, "the body did not arrive in time")
        return webhooks.take(name, request.headers, body)

    async def webhook(request: Request) -> Response:
        name = request.path_params["workspace"]
        reply = webhooks.check_head(name, request.headers) or await receive(name, request)
        notify_webhook(name, reply)
        return PlainTextResponse(reply.text + "\n", reply.status, {"Connection": "close"})

    return Starlette(
        routes=[
            *_build_health(controller, render_metrics, redact),
            Route("/hooks/{workspace}", webhook, methods=["POST"]),
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


def build_admin(
    controller: Controller,
    bus: EventBus,
    render_metrics: Callable[[], tuple[bytes, str]],
    redact: Redact,
) -> Starlette:
    """Build the routes of the admin socket; see `docs/reference/serve.md`."""
    admin = _AdminRoutes(controller, bus, redact)
    reads = (admin.status, admin.queue, admin.events)
    commands = (admin.pause, admin.resume, admin.drain, admin.reload, admin.reconcile)
    return Starlette(
        routes=[
            *_build_health(controller, render_metrics, redact),
            *(Route(f"/{read.__name__}", read) for read in reads),
            *(Route(f"/{command.__name__}", command, methods=["POST"]) for command in commands),
        ],
        exception_handlers={ProvisioningError: admin.refuse},
    )


class _AdminRoutes:
    """The answers at the admin socket; each method is the route of its name."""

    def __init__(self, controller: Controller, bus: EventBus, redact: Redact) -> None:
        self._controller = controller
        self._bus = bus
        self._redact = redact

    async def status(self, _: Request) -> Response:
        return self._answer(shape_service(self._controller))

    async def queue(self, _: Request) -> Response:
        with self._controller.worker_pool.open_queue() as queue:
            works = queue.list_work()
        now = self._controller.worker_pool.now()
        return self._answer({"queue": [shape_work(work, now) for work in works]})

    async def events(self, _: Request) -> Response:
        return self._stream(self._bus.subscribe(lambda _: True))

    async def pause(self, request: Request) -> Response:
        key = self._find(request)
        with self._controller.worker_pool.open_queue() as queue:
            queue.pause(key)
        return self._answer({"paused": str(key) if key else "all"})

    async def resume(self, request: Request) -> Response:
        key = self._find(request)
        with self._controller.worker_pool.open_queue() as queue:
            queue.resume(key)
        return self._answer({"resumed": str(key) if key else "all"})

    async def drain(self, _: Request) -> Response:
        self._controller.drain()
        return self._answer({"draining": True})

    async def reload(self, _: Request) -> Response:
        self._controller.reload()
        return self._answer({"reloading": True})

    async def reconcile(self, request: Request) -> Response:
        key = self._find(request)
        if key is None:
            raise InvalidArgument("no infra is named", hint="add ?infra=INFRA")
        self._controller.check_begins(key)
        return self._stream(_follow(self._bus, self._controller, key))

    async def refuse(self, _: Request, error: Exception) -> Response:
        assert isinstance(error, ProvisioningError)  # noqa: S101  as registered
        return self._answer(to_builtins(ErrorDocument.of(error)), HTTPStatus.UNPROCESSABLE_ENTITY)

    def _find(self, request: Request) -> Key | None:
        name = request.query_params.get("infra")
        return self._controller.find_key(name) if name else None

    def _answer(self, shape: object, status: HTTPStatus = HTTPStatus.OK) -> Response:
        text = self._redact(json.dumps(shape, ensure_ascii=False))
        return Response(text, status, media_type="application/json")

    def _stream(self, shapes: AsyncIterator[Shape]) -> Response:
        async def lines() -> AsyncIterator[str]:
            async for shape in shapes:
                yield self._redact(json.dumps(shape, ensure_ascii=False)) + "\n"

        return StreamingResponse(lines(), media_type="application/x-ndjson")


async def _follow(bus: EventBus, controller: Controller, key: Key) -> AsyncIterator[Shape]:
    """Request a cycle of *key*, and yield its events to the end."""

    def is_about(shape: Shape) -> bool:
        return (shape.get("workspace"), shape.get("infra")) == (key.workspace, key.name)

    began = False
    async for shape in bus.subscribe(is_about, lambda: controller.reconcile(key)):
        began = began or shape["action"] in {"cycle-begun", "defect"}
        if began:
            yield shape
        if began and shape["action"] in {"cycle-ended", "defect"}:
            return


def _build_health(
    controller: Controller, render_metrics: Callable[[], tuple[bytes, str]], redact: Redact
) -> list[Route]:
    async def healthz(_: Request) -> Response:
        if controller.is_alive:
            return PlainTextResponse("ok\n")
        return PlainTextResponse("the supervisor hangs\n", HTTPStatus.SERVICE_UNAVAILABLE)

    async def readyz(_: Request) -> Response:
        problems = [redact(problem) for problem in controller.list_problems()]
        code = HTTPStatus.SERVICE_UNAVAILABLE if problems else HTTPStatus.OK
        return JSONResponse({"ready": not problems, "problems": problems}, code)

    async def metrics(_: Request) -> Response:
        body, kind = await asyncio.to_thread(render_metrics)
        return Response(redact(body.decode()), media_type=kind)

    return [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
    ]

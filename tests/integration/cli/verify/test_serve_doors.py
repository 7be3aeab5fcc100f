"""The network's door of `serve`: bodies, signatures, copies, and clients that dawdle."""

import hashlib
import hmac
import json
import socket
import time
from contextlib import suppress
from http import HTTPStatus
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families
from running_service import RunningService

from provisioning.interfaces.service.metric_table import MEASURES

SECRET = "a-secret-of-the-hook"


@pytest.fixture
def service(shop):
    secret = shop.home / "webhook-secret"
    secret.parent.mkdir(exist_ok=True)
    secret.write_text(SECRET)
    secret.chmod(0o600)
    running = RunningService([shop.folder], shop.home, shop.environment)
    try:
        running.start()
        yield running
    finally:
        assert running.stop() == 0


def deliver(service, body, *, event="push", secret=SECRET, delivery="d1", name="shop"):
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "X-Gitea-Event": event,
        "X-Gitea-Signature": signature,
        "X-Gitea-Delivery": delivery,
    }
    try:
        with urlopen(Request(f"{service.url}/hooks/{name}", body, headers), timeout=200) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as exc:
        return exc.code, exc.read().decode()


PUSH = json.dumps({"ref": "refs/heads/main"}).encode()


def test_a_push_is_a_hint(service):
    """It is taken once; a copy of it is refused, as is one that somebody else signed."""
    assert deliver(service, PUSH) == (HTTPStatus.ACCEPTED, "fetching main\n")
    assert deliver(service, PUSH)[0] == HTTPStatus.CONFLICT
    assert deliver(service, PUSH, delivery="d2", secret="guessed")[0] == HTTPStatus.FORBIDDEN
    assert deliver(service, PUSH, delivery="")[0] == HTTPStatus.CONFLICT
    assert deliver(service, PUSH, delivery="d3", name="nope")[0] == HTTPStatus.NOT_FOUND


def test_what_is_nothing_of_ours_is_ignored(service):
    """Other branches, our own branches, events nobody knows."""
    other = json.dumps({"ref": "refs/heads/provisioning/web"}).encode()
    assert deliver(service, other, delivery="o1") == (HTTPStatus.OK, "nothing to do\n")
    assert deliver(service, b"{}", delivery="o2", event="star")[0] == HTTPStatus.OK


@pytest.mark.parametrize(
    "body", [b"", b"nonsense", b"[]", b'{"ref": {}}x', b"[" * 100000, b"\xff\xfe"]
)
def test_a_malformed_body_is_a_bad_request(service, body):
    """Signed garbage is still garbage."""
    assert deliver(service, body, delivery=str(len(body)))[0] == HTTPStatus.BAD_REQUEST


HEAD = b"POST /hooks/shop HTTP/1.1\r\nHost: x\r\nX-Gitea-Signature: " + b"0" * 64 + b"\r\n"


def test_a_body_without_a_signature_is_not_read(service):
    """Nor one for a workspace that is not kept: the answer comes before the body."""
    host, port = service.url.removeprefix("http://").split(":")
    for head, code in (
        (HEAD.replace(b"0" * 64, b"none"), b" 403 "),
        (HEAD.replace(b"shop", b"other"), b" 404 "),
    ):
        with socket.create_connection((host, int(port)), 20) as client:
            client.sendall(head + b"Content-Length: 1000\r\n\r\n")
            assert code in client.recv(4096)


def test_a_huge_body_is_not_read(service):
    """100 MB are refused by their length, and by their count where none is told."""
    host, port = service.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 20) as client:
        client.sendall(HEAD + b"Content-Length: 104857600\r\n\r\n" + b"x" * 9)
        assert b" 413 " in client.recv(4096)
    with socket.create_connection((host, int(port)), 20) as client:
        client.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        with suppress(OSError):
            for _ in range(200):
                client.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        told = b""
        with suppress(OSError):
            told = client.recv(4096)
        assert told == b"" or b" 413 " in told


def test_dawdlers_cost_nobody_anything(service):
    """Half a head a second each: health answers meanwhile, and they are cut off."""
    host, port = service.url.removeprefix("http://").split(":")
    clients = [socket.create_connection((host, int(port)), 60) for _ in range(50)]
    for each in clients:
        each.sendall(b"GET /healthz HTTP/1.1\r\nX-A")
    began = time.monotonic()
    assert service.get("/healthz") == (200, "ok\n")
    for each in clients:
        each.settimeout(60)
        assert each.recv(100) == b""
        each.close()
    assert time.monotonic() - began < 60


def test_metrics_are_told_and_hold_no_secret(service):
    """Prometheus reads them; a service that is not ready says so elsewhere."""
    service.wait_idle()
    deliver(service, PUSH, delivery="m1")
    status, text = service.get("/metrics")
    assert status == HTTPStatus.OK
    assert 'provisioning_webhooks_total{status="202"} 1.0' in text
    assert 'provisioning_infra_ready{infra="web",workspace="shop"} 1.0' in text
    assert SECRET not in text
    assert SECRET not in service.log.read_text()


def test_what_is_told_is_what_the_reference_lists(service):
    """Every metric of the table with its form and labels, and no other of ours."""
    service.wait_idle()
    told = {
        each.name: each
        for each in text_string_to_metric_families(service.get("/metrics")[1])
        if each.name.startswith("provisioning_") and not each.name.endswith("_created")
    }
    assert {name: each.type for name, each in told.items()} == {
        each.name: each.form for each in MEASURES
    }
    for measure in MEASURES:
        for sample in told[measure.name].samples:
            assert sample.labels.keys() - {"le"} == set(measure.labels), sample

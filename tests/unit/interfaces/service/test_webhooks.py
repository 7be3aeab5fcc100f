"""A webhook is of the forge whose signature it has, whichever that is."""

import re
from http import HTTPStatus
from types import SimpleNamespace

from provisioning.forges.gitea.webhooks import FORMAT
from provisioning.forges.registry import list_hook_formats
from provisioning.forges.webhooks import HookFormat, PullHint
from provisioning.interfaces.service.webhooks import Webhooks

OTHER = HookFormat(
    signature="x-other-token",
    delivery="x-other-id",
    event="x-other-event",
    pattern=re.compile(r"t-\w+"),
    is_signed=lambda _, signature, secret: signature == f"t-{secret}",
    parse=lambda _, body: PullHint(int(body)),
)


def test_ours_are_registered():
    """The service asks the registry for the formats."""
    assert FORMAT in list_hook_formats()


def test_a_second_forge_needs_no_edit_of_the_service():
    """Its format names the headers, and tells the signature and the hint."""
    reviewed = []
    shop = SimpleNamespace(read_hook_secret=lambda: "abc", request_review=reviewed.append)
    webhooks = Webhooks({"shop": shop}, (FORMAT, OTHER))
    headers = {"x-other-token": "t-abc", "x-other-id": "1", "x-other-event": "review"}
    assert webhooks.take("shop", headers, b"7").status == HTTPStatus.ACCEPTED
    assert webhooks.take("shop", headers, b"7").status == HTTPStatus.CONFLICT
    forged = headers | {"x-other-token": "t-abd"}
    assert webhooks.take("shop", forged, b"8").status == HTTPStatus.FORBIDDEN
    assert reviewed == [7]

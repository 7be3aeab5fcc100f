"""What `serve queue` prints."""

import pytest

from provisioning.interfaces.cli.render.service import render_queue

WORK = {
    "key": "shop/web",
    "urgency": "drift",
    "status": "delayed",
    "reason": "something changed",
    "seconds": 1.0,
    "failures": 0,
    "dueInSeconds": None,
    "waitsFor": None,
}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "something changed"),
        ({"dueInSeconds": 20.4}, "something changed; in 20 s"),
        ({"dueInSeconds": 2.0, "failures": 1}, "something changed; in 2 s; after 1 failure"),
        ({"failures": 2}, "something changed; after 2 failures"),
        ({"waitsFor": "shop/net"}, "something changed; waits for shop/net"),
    ],
)
def test_a_line_tells_when_and_why(changes, told):
    """Of failures only where there are some: a delay may have other reasons."""
    line = render_queue([WORK | changes])
    assert line == f"delayed  drift       1.0 s  shop/web  {told}"

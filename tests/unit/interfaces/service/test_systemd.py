"""What systemd is told."""

import re
import socket
from pathlib import Path

import pytest

from provisioning.interfaces.service.systemd import STARTING, Notifier
from provisioning.interfaces.service.systemd_unit import render_unit


@pytest.fixture
def systemd(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "n"))
        sock.settimeout(10)
        yield sock


def test_a_start_that_takes_long_asks_for_more_time(systemd):
    """In microseconds, which is what sd_notify(3) counts in."""
    Notifier({"NOTIFY_SOCKET": systemd.getsockname()}).send_starting()
    assert systemd.recv(1000) == b"EXTEND_TIMEOUT_USEC=60000000"


def test_without_systemd_nothing_is_asked_for():
    """As in a container, or on a terminal."""
    Notifier({}).send_starting()


def test_a_start_that_hangs_is_ended_as_soon_as_a_service_that_does():
    """For a start that lives asks anew, at each beat; a beat that stays out ends both."""
    unit = render_unit(["/bin/true"], [Path("/srv/shop")], Path("/srv"), [], "root")
    said = {key: int(value) for key, value in re.findall(r"^(\w+Sec)=(\d+)$", unit, re.MULTILINE)}
    assert STARTING <= said["TimeoutStartSec"] == said["WatchdogSec"]

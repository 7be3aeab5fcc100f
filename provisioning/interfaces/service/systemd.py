"""Reports the state of the service to systemd by the protocol of sd_notify(3)."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress

STARTING = 60
"""Seconds by which each heartbeat extends the start timeout."""


class Notifier:
    """Sends to the socket of `NOTIFY_SOCKET`; without one it does nothing."""

    def __init__(self, environ: dict[str, str] | None = None) -> None:
        known = os.environ if environ is None else environ
        address = known.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        interval = known.get("WATCHDOG_USEC", "")
        self.watchdog = int(interval) / 2e6 if interval.isdecimal() else None
        """Seconds between two heartbeats, if systemd asks for any."""

    def send(self, **words: str | int) -> None:
        """Send `KEY=value` for each word, as in `READY=1`."""
        if not self._address:
            return
        text = "\n".join(f"{key}={value}" for key, value in words.items())
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(text.encode(), self._address)

    def send_starting(self) -> None:
        """Extend the start timeout by a minute; sent with each heartbeat before `READY`.

        So a slow Git server does not end the start, and a service that hangs does.
        """
        self.send(EXTEND_TIMEOUT_USEC=STARTING * 1_000_000)

    def send_reloading(self) -> None:
        """Report that settings are read again; systemd 253 requires the time."""
        moment = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self.send(RELOADING=1, MONOTONIC_USEC=moment)

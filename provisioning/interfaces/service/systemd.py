"""Tells systemd, if it is there, how the service is: the protocol of sd_notify(3)."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress

STARTING = 60
"""Seconds that a service asks for, each time, while it starts."""


class Notifier:
    """Sends to the socket that `NOTIFY_SOCKET` names, if it does."""

    def __init__(self, environ: dict[str, str] | None = None) -> None:
        known = os.environ if environ is None else environ
        address = known.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        interval = known.get("WATCHDOG_USEC", "")
        self.watchdog = int(interval) / 2e6 if interval.isdecimal() else None
        """Seconds between two signs of life, if systemd wants any."""

    def send(self, **words: str | int) -> None:
        """Send `KEY=value` for each word, as in `READY=1`."""
        if not self._address:
            return
        text = "\n".join(f"{key}={value}" for key, value in words.items())
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(text.encode(), self._address)

    def send_starting(self) -> None:
        """Ask for a minute more to start in; to be sent with each sign of life before `READY`.

        So a Git server that answers nothing does not end the service, however long it takes, and
        a start that hangs does.
        """
        self.send(EXTEND_TIMEOUT_USEC=STARTING * 1_000_000)

    def send_reloading(self) -> None:
        """Say that settings are read again; systemd 253 wants the moment of it."""
        moment = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self.send(RELOADING=1, MONOTONIC_USEC=moment)

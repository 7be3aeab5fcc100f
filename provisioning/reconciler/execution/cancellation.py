"""How a run is asked to stop: by a signal, or by whoever runs it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130


class Cancellation:
    """A request to stop that many threads can see; `wait` is a sleep that it ends."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def request(self) -> None:
        """Ask to stop: what is in hand is finished, nothing new is begun."""
        self._event.set()

    @property
    def is_requested(self) -> bool:
        """Whether to stop."""
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait *seconds*, or less if asked to stop; tell whether to stop."""
        return self._event.wait(seconds)


@contextmanager
def stopping_on_signals(stop: Cancellation) -> Iterator[Cancellation]:
    """Let SIGINT and SIGTERM request *stop*; a second one ends the process at once.

    Ending at once loses nothing: the journal and the state log hold what the next run needs.
    """

    def handle(_signal: int, _frame: FrameType | None) -> None:
        if stop.is_requested:
            os._exit(INTERRUPTED)
        stop.request()
        sys.stderr.write("\nstopping: finishing what is in hand (once more to stop at once)\n")

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""Ends processes: by a signal, and by force when their grace is over."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from provisioning.core.model.errors import ProviderTransient
from provisioning.providers.local.processes.procfs import SeenProcess, read_seen

FORCE_SECONDS = 5.0
"""What processes get to vanish after SIGKILL; only one that hangs in the kernel needs it."""

LOOK_AGAIN = 0.02
"""Seconds after which to look again who is there; doubled each time."""

Find = Callable[[], list[SeenProcess]]


def stop_all(find: Find, number: signal.Signals, grace: float) -> None:
    """Send signal *number* to all that *find* finds, wait *grace* seconds, then kill the rest.

    Raises:
        ProviderTransient: If some are there even so.
    """
    if _end(find, number, grace) or _end(find, signal.SIGKILL, FORCE_SECONDS):
        return
    pids = ", ".join(str(seen.pid) for seen in find())
    raise ProviderTransient(
        f"not even SIGKILL ended these processes: {pids}",
        hint="they hang in the kernel, most often on a disk or a network file system",
    )


def _end(find: Find, number: signal.Signals, seconds: float) -> bool:
    """Signal each one once, also those that appear meanwhile; tell whether all have gone.

    One that has become another program since counts as new: between fork and exec a shell
    takes in a signal and forgets it.
    """
    until, pause = time.monotonic() + seconds, LOOK_AGAIN
    told: set[SeenProcess] = set()
    while group := find():
        with _held(group) as handles:
            for seen, handle in handles:
                if seen not in told:
                    _send(handle, number)
            told.update(seen for seen, _ in handles)
            _wait(handles, min(until, time.monotonic() + pause))
        pause *= 2
        if time.monotonic() >= until:
            return not find()
    return True


@contextmanager
def _held(group: Sequence[SeenProcess]) -> Iterator[list[tuple[SeenProcess, int]]]:
    """Hold each process by a descriptor, which unlike its id never comes to mean another."""
    with ExitStack() as stack:
        handles = []
        for seen in group:
            try:
                handle = os.pidfd_open(seen.pid)
            except ProcessLookupError:
                continue
            stack.callback(os.close, handle)
            if read_seen(seen.pid) == seen:
                handles.append((seen, handle))
        yield handles


def _send(handle: int, number: signal.Signals) -> None:
    try:
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return


def _wait(handles: Sequence[tuple[SeenProcess, int]], until: float) -> None:
    poll = select.poll()
    waiting = {handle for _, handle in handles}
    for handle in waiting:
        poll.register(handle, select.POLLIN)
    while waiting and (left := until - time.monotonic()) > 0:
        for handle, _ in poll.poll(left * 1000):
            poll.unregister(handle)
            waiting.discard(handle)

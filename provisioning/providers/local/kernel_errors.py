"""Maps the kernel's errors to ours, once."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from provisioning.core.model.errors import ProviderError, ProviderTransient

PASSING = {errno.EINTR, errno.EAGAIN, errno.ETIMEDOUT, errno.EBUSY}
"""What may be gone at the next try."""

HINTS = {
    errno.EACCES: "give that user the right to read and write there, or choose another path",
    errno.EPERM: "only root may change owners and touch what belongs to another user",
    errno.ENOSPC: "free some space on that disk, then run again",
    errno.EDQUOT: "free some space, or raise the quota of that user, then run again",
    errno.EROFS: "mount that disk writable, then run again",
    errno.ENAMETOOLONG: "shorten the path",
    errno.E2BIG: "shorten the command or its environment",
    errno.EMFILE: "raise the limit of open files: `ulimit -n`",
}


def explain(what: str, exc: OSError) -> str:
    """Say in one line what the kernel refused about *what*, and to whom."""
    reason = (exc.strerror or str(exc)).lower()
    denied = exc.errno in {errno.EACCES, errno.EPERM}
    return f"{what}: {reason}" + (f" for the user with id {os.geteuid()}" if denied else "")


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise an `OSError` of the block as the error of a provider that was busy with *what*.

    Raises:
        ProviderTransient: If the next try may succeed.
        ProviderError: If not; the hint says what would help.
    """
    try:
        yield
    except OSError as exc:
        error = ProviderTransient if exc.errno in PASSING else ProviderError
        raise error(explain(what, exc), hint=HINTS.get(exc.errno or 0)) from exc

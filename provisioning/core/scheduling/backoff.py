"""The backoff of a service after failures. Pure."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from provisioning.core.model.errors import (
    LockHeld,
    ProviderThrottled,
    ProvisioningError,
    RemoteUnreachable,
)

FIRST = 2.0
"""Seconds before the first try after a failure; each further one doubles it."""

LONGEST = 300.0

LOCK_POLL = 10.0
"""The longest time, in seconds, between two reads of a lock that another holds."""

LOCK_MARGIN = 0.5
"""Seconds after the end of a lock at which it is read again."""


class TokenBucket(msgspec.Struct, frozen=True):
    """A token bucket as it was at one time.

    Args:
        burst: How often it may be done one time after the other.
        refill: Seconds after which it may be done once more than that.
        left: How often it could be done at that moment.
        at: The moment.
    """

    burst: float
    refill: float
    left: float
    at: float = 0.0

    def spend(self, now: float) -> TokenBucket:
        """Return what is left after one more."""
        left = min(self.burst, self.left + (now - self.at) / self.refill)
        return replace(self, left=max(left - 1.0, 0.0), at=now)

    def get_due(self, now: float) -> float:
        """Return when the next one may be; *now* or later."""
        missing = 1.0 - (self.left + (now - self.at) / self.refill)
        return now + max(missing, 0.0) * self.refill


HEALINGS = TokenBucket(burst=5, refill=30.0, left=5)
"""The rate at which the drift of an infra is corrected: a process that ends as soon as it starts,
or a person who edits in a loop, does not fill the state log."""

LOOKS = TokenBucket(burst=10, refill=1.0, left=10)
"""The rate at which an infra is refreshed after changes that runs do not correct."""


def compute_backoff(failures: int, jitter: float) -> float:
    """Return the seconds to wait after *failures* in a row.

    Args:
        failures: How many, from 1.
        jitter: A random number from 0 to 1, so that many do not come back at the same time.
    """
    pause = min(LONGEST, FIRST * 2.0 ** min(failures - 1, 16))
    return pause * (0.8 + 0.4 * jitter)


def compute_retry(error: ProvisioningError, failures: int, jitter: float) -> float | None:
    """Return in how many seconds to try again after *error*; None if only a change can help."""
    if isinstance(error, LockHeld):
        left = LOCK_POLL if error.remaining is None else error.remaining + LOCK_MARGIN
        return min(LOCK_POLL, left)
    if not error.retryable:
        return None
    pause = compute_backoff(failures, jitter)
    if isinstance(error, RemoteUnreachable | ProviderThrottled) and error.retry_after is not None:
        return max(pause, error.retry_after)
    return pause

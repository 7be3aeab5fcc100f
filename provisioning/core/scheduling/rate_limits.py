"""The rate of calls to a provider, and their retries. Values only; nothing sleeps here."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from provisioning.core.model.errors import ProviderError, ProviderThrottled, ProviderTransient


class Pace(msgspec.Struct, frozen=True):
    """The number of concurrent calls to a provider: additive increase, multiplicative decrease.

    The rule is TCP's (RFC 5681): a success raises the limit by `1/limit`, a throttled call
    halves it; it stays between 1 and *maximum*.
    """

    maximum: int
    limit: float

    @property
    def slots(self) -> int:
        """The calls that may be under way at once."""
        return int(self.limit)

    def with_success(self) -> Pace:
        """Return the pace after a call succeeded."""
        return replace(self, limit=min(float(self.maximum), self.limit + 1 / self.limit))

    def with_throttle(self) -> Pace:
        """Return the pace after a call was throttled."""
        return replace(self, limit=max(1.0, self.limit / 2))


class RetryPolicy(msgspec.Struct, frozen=True):
    """The retries of a failed call: *max_attempts* in all, after *base* seconds, which double."""

    max_attempts: int
    base: float = 0.2
    ceiling: float = 30.0

    def compute_delay(self, error: ProviderError, attempt: int) -> float | None:
        """Return the seconds to wait before the next attempt, or None to give up.

        Args:
            error: How the attempt failed.
            attempt: Which it was, counted from 1.
        """
        if not isinstance(error, ProviderTransient) or attempt >= self.max_attempts:
            return None
        delay = min(self.ceiling, self.base * 2.0 ** (attempt - 1))
        if isinstance(error, ProviderThrottled) and error.retry_after is not None:
            return max(delay, error.retry_after)
        return delay


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The most concurrent calls, in all and to one provider, and their retries."""

    parallelism: int
    per_provider: int
    retries: RetryPolicy

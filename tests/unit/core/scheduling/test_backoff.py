"""When a service tries again."""

import pytest

from provisioning.core.model.errors import (
    Fenced,
    InvalidManifest,
    LockHeld,
    ProviderThrottled,
    RemoteUnreachable,
)
from provisioning.core.scheduling.backoff import (
    HEALINGS,
    LOCK_POLL,
    LONGEST,
    compute_backoff,
    compute_retry,
)


def test_it_doubles_up_to_an_end():
    """Longer after each failure, never longer than the end and its jitter."""
    pauses = [compute_backoff(failures, 0.5) for failures in range(1, 40)]
    assert pauses == sorted(pauses)
    assert pauses[:3] == [2, 4, 8]
    assert pauses[-1] == LONGEST
    assert compute_backoff(10**6, 1.0) <= LONGEST * 1.21


@pytest.mark.parametrize(
    ("remaining", "pause"), [(None, LOCK_POLL), (3.0, 3.5), (500.0, LOCK_POLL), (0.0, 0.5)]
)
def test_a_lock_is_looked_at_when_it_ends(remaining, pause):
    """A dead holder costs its ttl and half a second, not a backoff."""
    error = LockHeld("held")
    error.remaining = remaining
    assert compute_retry(error, 9, 0.5) == pause


def test_only_what_passes_is_tried_again():
    """A manifest that is wrong stays wrong until somebody changes it."""
    assert compute_retry(InvalidManifest("no"), 1, 0.5) is None
    assert compute_retry(Fenced("lost"), 1, 0.5) == 2


def test_who_says_when_to_come_back_is_believed():
    """It is not asked sooner."""
    assert compute_retry(ProviderThrottled("slow down", retry_after=77.0), 1, 0.5) == 77
    assert compute_retry(RemoteUnreachable("away"), 3, 0.5) == 8


def test_healing_is_at_once_until_it_is_often():
    """A burst is free; then each waits for its share, and a calm while pays the burst again."""
    bucket, now, refill = HEALINGS, 1000.0, HEALINGS.refill
    for _ in range(int(bucket.burst)):
        assert bucket.get_due(now) == now
        bucket = bucket.spend(now)
    assert bucket.get_due(now) == now + refill
    bucket = bucket.spend(now + refill)
    assert bucket.get_due(now + refill) == pytest.approx(now + 2 * refill)
    later = now + refill * 2 * bucket.burst
    assert bucket.spend(later).get_due(later) == later

import pytest

from provisioning.core.model.records import Holder, Lock
from provisioning.core.statelog.lock_expiry import LockState, compute_lock_status


def lock(ttl):
    return Lock(
        token=1, holder=Holder("ana", "here"), reason="", acquired_at="", renewed_at="", ttl=ttl
    )


@pytest.mark.parametrize(
    ("ttl", "is_gone", "seen_for", "standing", "remaining"),
    [
        (60, False, 0, LockState.HELD, 60),
        (60, False, 59.5, LockState.HELD, 0.5),
        (60, False, 60, LockState.EXPIRED, 0),
        (60, False, 99, LockState.EXPIRED, 0),
        (0, False, 1e9, LockState.HELD, None),
        (60, True, 0, LockState.ORPHANED, 0),
        (0, True, 0, LockState.ORPHANED, 0),
    ],
)
def test_a_lock_protects_until_it_was_seen_unchanged_for_its_ttl(
    ttl, is_gone, seen_for, standing, remaining
):
    """A lock without a ttl never expires; one whose process has ended protects nobody."""
    lock_status = compute_lock_status(lock(ttl), is_gone=is_gone, seen_for=seen_for)
    assert (lock_status.standing, lock_status.remaining) == (standing, remaining)
    assert lock_status.is_held is (standing is LockState.HELD)

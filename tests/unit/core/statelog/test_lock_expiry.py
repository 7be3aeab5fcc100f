import pytest

from provisioning.core.model.records import Holder, Lock
from provisioning.core.statelog.lock_expiry import Standing, judge_lock


def lock(ttl):
    return Lock(
        token=1, holder=Holder("ana", "here"), reason="", acquired_at="", renewed_at="", ttl=ttl
    )


@pytest.mark.parametrize(
    ("ttl", "is_gone", "seen_for", "standing", "remaining"),
    [
        (60, False, 0, Standing.HELD, 60),
        (60, False, 59.5, Standing.HELD, 0.5),
        (60, False, 60, Standing.EXPIRED, 0),
        (60, False, 99, Standing.EXPIRED, 0),
        (0, False, 1e9, Standing.HELD, None),
        (60, True, 0, Standing.ORPHANED, 0),
        (0, True, 0, Standing.ORPHANED, 0),
    ],
)
def test_a_lock_protects_until_it_was_seen_unchanged_for_its_ttl(
    ttl, is_gone, seen_for, standing, remaining
):
    """A lock without a ttl never expires; one whose process has ended protects nobody."""
    judgement = judge_lock(lock(ttl), is_gone=is_gone, seen_for=seen_for)
    assert (judgement.standing, judgement.remaining) == (standing, remaining)
    assert judgement.is_held is (standing is Standing.HELD)

"""Since when work may be taken: what metrics and logs call waiting."""

from provisioning.core.scheduling.workqueue import Ending, Key, Topic, Urgency, WorkQueue

WEB = Key("shop", Topic.INFRA, "web")


def fail_at(queue, now, retry):
    queue.take(now)
    queue.end(WEB, Ending(is_good=False, retry=retry), now)


def test_a_retry_waits_from_when_it_was_due():
    """The time of its backoff is nobody's fault: it is not asked for yet."""
    queue = WorkQueue()
    queue.add(WEB, Urgency.RESYNC, "resync", 0.0)
    fail_at(queue, 1.0, 300.0)
    work = queue.take(305.0)
    assert (work.since, work.ready_since) == (0.0, 301.0)


def test_a_push_ends_a_backoff_and_counts_from_then():
    """It is never ready in the future."""
    queue = WorkQueue()
    queue.add(WEB, Urgency.RESYNC, "resync", 0.0)
    fail_at(queue, 1.0, 300.0)
    queue.add(WEB, Urgency.PUSH, "commit", 10.0)
    assert queue.take(12.0).ready_since == 10.0

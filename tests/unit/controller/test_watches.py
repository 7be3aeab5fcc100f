"""A watch is a hint: where it fails, the cycle goes on."""

from queue import Queue
from types import SimpleNamespace

import pytest

from provisioning.controller.events import WatchFailed
from provisioning.controller.watches import WatchRegistry
from provisioning.controller.worker_pool import WorkerPool
from provisioning.controller.workspace_state import WorkspaceState
from provisioning.core.model.errors import ProviderError
from provisioning.core.model.records import Record
from provisioning.core.scheduling.workqueue import Key, QueueStatus, Topic, Urgency, Work

KEY = Key("shop", Topic.INFRA, "web")


class Provider:
    """Watches, or says why it cannot."""

    def __init__(self):
        self.error, self.followed, self.notify = None, [], None

    def open_watch(self, notify):
        if self.error:
            raise self.error
        self.notify = notify
        return SimpleNamespace(
            follow=lambda owner, targets: self.followed.append((owner, len(targets))),
            close=lambda: None,
        )


@pytest.fixture
def setting():
    events, now = Queue(), [1000.0]
    worker_pool = WorkerPool(size=1, timeout=60, notify=events.put, now=lambda: now[0])
    record = Record(
        id="File/a", kind="File", provider="local", spec={}, attributes={"path": "a"}, run="1-a",
        operation=1, source=None,
    )  # fmt: skip
    log = SimpleNamespace(
        records="tree-1",
        read_local=lambda: None,
        open_records=lambda _: SimpleNamespace(
            id=log.records, read_all=lambda: {record.id: record}
        ),
    )
    provider = Provider()
    context = SimpleNamespace(infra="web", owner="id-1/web", log=log, providers={"local": provider})
    watches = WatchRegistry(WorkspaceState("shop"), worker_pool, events.put)
    return SimpleNamespace(
        watches=watches,
        context=context,
        provider=provider,
        events=events,
        worker_pool=worker_pool,
        now=now, log=log,
    )  # fmt: skip


def list_queued(setting):
    with setting.worker_pool.open_queue() as queue:
        return [(each.key, each.standing) for each in queue.list_work()]


def test_what_is_recorded_is_followed_once(setting):
    """And again when the records are others, or something happened."""
    for _ in range(3):
        setting.watches.follow(setting.context, None)
    assert setting.provider.followed == [("id-1/web", 1)]
    setting.log.records = "tree-2"
    setting.watches.follow(setting.context, None)
    setting.provider.notify("id-1/web")
    setting.watches.follow(setting.context, None)
    assert len(setting.provider.followed) == 3


def test_a_watch_that_cannot_be_opened_is_reported_once(setting):
    """The cycle goes on, and the next one tries again."""
    setting.provider.error = ProviderError("too many")
    for _ in range(3):
        setting.watches.follow(setting.context, None)
    assert isinstance(setting.events.get_nowait(), WatchFailed)
    assert setting.events.empty()
    setting.provider.error = None
    setting.watches.follow(setting.context, None)
    assert setting.provider.followed == [("id-1/web", 1)]


@pytest.mark.parametrize(("has_run", "at_once"), [(True, 5), (False, 10)])
def test_what_happens_all_the_time_is_looked_at_now_and_then(setting, has_run, at_once):
    """A healing in a loop, and drift that is not to be healed: neither takes a worker for good."""
    setting.watches.follow(setting.context, None)
    work = Work(key=KEY, urgency=Urgency.DRIFT, since=0, reason="", standing=QueueStatus.RUNNING)
    for _ in range(at_once):
        setting.watches.count(work, has_run=has_run)
    setting.provider.notify("id-1/web")
    assert list_queued(setting) == [(KEY, QueueStatus.DELAYED)]
    setting.now[0] += 31
    with setting.worker_pool.open_queue() as queue:
        assert queue.take(setting.now[0]).key == KEY

"""A workspace controller goes on fetching, whatever fails."""

import threading
from queue import Queue

import pytest

from provisioning.controller.events import (
    Defect,
    Fetched,
    FetchFailed,
    ForgeCallFailed,
    SettingsRejected,
)
from provisioning.controller.schedule import Schedule
from provisioning.controller.served_workspace import ChangedInfras
from provisioning.controller.worker_pool import WorkerPool
from provisioning.controller.workspace_controller import WorkspaceController
from provisioning.controller.workspace_state import LastCycle
from provisioning.core.model.errors import InvalidConfiguration, RemoteUnreachable
from provisioning.core.scheduling.workqueue import Key, Topic
from provisioning.reconciler.execution.cancellation import Cancellation


class BrokenWorkspace:
    """Raises what is no error of ours at first, and what is one later."""

    def __init__(self):
        self._errors = [ZeroDivisionError("a slip"), RemoteUnreachable("nobody is there")]
        self.commits = self

    def fetch(self):
        raise self._errors.pop(0)


def test_a_defect_does_not_end_the_thread():
    """It is reported with its trace, the service is not ready, and the fetch is retried."""
    events = Queue()
    worker_pool = WorkerPool(size=1, timeout=60, notify=events.put)
    schedule, stop = Schedule(lambda _: None), Cancellation()
    workspace = BrokenWorkspace()
    workspace_controller = WorkspaceController(
        "shop", lambda: workspace, worker_pool, schedule, events.put, stop
    )
    assert not workspace_controller.has_fetched
    workspace_controller.start()
    defect = events.get(timeout=30)
    assert isinstance(defect, Defect)
    assert "ZeroDivisionError: a slip" in defect.trace
    assert "a slip" in str(workspace_controller.state.error)
    workspace_controller.request_fetch()
    failed = events.get(timeout=30)
    assert isinstance(failed, FetchFailed)
    stop.request()
    workspace_controller.close()


class Workspace:
    """Answers what it is told to, and raises what is planned, once each."""

    identifier, branch, poll_interval = "id-1", "main", 3600.0

    def __init__(self, world):
        self._world = world
        self.opened = self.commits = self.settings = self

    def _answer(self, name, value):
        error = self._world.errors.pop(name, None)
        if error is not None:
            raise error
        return value

    @property
    def is_at_forge(self):
        return self._world.is_at_forge

    def fetch(self):
        return self._answer("fetch", self._world.commit)

    def choose_infras(self, commit, infra):
        return self._answer("choose_infras", ["api", "web"])

    def find_touched(self, old, new):
        return ChangedInfras(frozenset({"web"}), is_shared=False)

    def read_needs(self, commit, infras):
        return self._answer("read_needs", {})

    def read_drift_schedules(self, commit, infras):
        return self._answer("read_drift_schedules", {})

    def find_reviews(self):
        return self._answer("find_reviews", [7])


class World:
    """A workspace controller, and all its events."""

    def __init__(self):
        self.commit, self.errors, self.is_at_forge, self.opened = "c1", {}, False, 0
        self.events, self.stop = Queue(), Cancellation()
        self.worker_pool = WorkerPool(size=1, timeout=60, notify=self.events.put)
        schedule = Schedule(lambda _: None)
        self.workspace_controller = WorkspaceController(
            "shop", self.open, self.worker_pool, schedule, self.events.put, self.stop
        )

    def open(self):
        self.opened += 1
        error = self.errors.pop("open", None)
        if error is not None:
            raise error
        return Workspace(self)

    def wait_for(self, kind):
        while True:
            event = self.events.get(timeout=30)
            if isinstance(event, kind):
                return event

    def list_queued(self):
        with self.worker_pool.open_queue() as queue:
            return {each.key.name: each.urgency.name for each in queue.list_work()}


@pytest.fixture
def world():
    made = World()
    made.workspace_controller.start()
    made.wait_for(Fetched)
    yield made
    made.stop.request()
    made.workspace_controller.close()


def test_a_commit_asks_for_what_it_touched(world):
    """At the start everything is looked at; then what changed, before it."""
    assert world.list_queued() == {"api": "RESYNC", "web": "RESYNC"}
    world.commit = "c2"
    world.workspace_controller.request_fetch()
    event = world.wait_for(Fetched)
    assert (event.commit, event.touched) == ("c2", 1)
    assert world.list_queued() == {"api": "RESYNC", "web": "PUSH"}


@pytest.mark.parametrize("name", ["choose_infras", "read_needs", "read_drift_schedules"])
def test_a_commit_is_taken_in_whole_or_not_at_all(world, name):
    """What fails in between is told, and the next look takes the commit in."""
    world.commit, world.errors = "c2", {name: ZeroDivisionError("a slip")}
    world.workspace_controller.request_fetch()
    world.wait_for(Defect)
    assert world.workspace_controller.state.commit == "c1"
    world.workspace_controller.request_fetch()
    assert world.wait_for(Fetched).commit == "c2"
    assert world.list_queued()["web"] == "PUSH"


def test_a_reload_outlives_a_look_that_fails(world):
    """The settings are read again as soon as the remote answers."""
    world.errors = {"fetch": RemoteUnreachable("away")}
    world.workspace_controller.reload()
    world.wait_for(FetchFailed)
    assert world.workspace_controller.has_fetched
    world.workspace_controller.request_fetch()
    assert not world.wait_for(Fetched).is_new


def test_broken_settings_keep_the_last_good_ones(world):
    """They are told, and the workspace goes on as it was opened last."""
    world.errors = {"open": InvalidConfiguration("broken")}
    world.workspace_controller.reload()
    world.wait_for(SettingsRejected)
    assert world.workspace_controller.state.settings_error is not None
    world.workspace_controller.reload()
    world.wait_for(Fetched)
    assert world.workspace_controller.state.settings_error is None


def test_a_forge_that_fails_does_not_slow_the_look_at_git(world):
    """Git is the truth; who answers for pull requests is asked again later."""
    world.is_at_forge, world.errors = True, {"find_reviews": RemoteUnreachable("away")}
    world.workspace_controller.request_fetch()
    world.wait_for(ForgeCallFailed)
    world.commit = "c2"
    world.workspace_controller.request_fetch()
    assert world.wait_for(Fetched).commit == "c2"
    assert world.workspace_controller.state.error is None
    wait_until(lambda: "7" in world.list_queued())


def test_what_is_asked_for_is_looked_at_after_the_event(world):
    """Who has just pushed and asks, sees what was pushed."""
    world.commit = "c2"
    world.workspace_controller.request_reconcile("api")
    assert world.wait_for(Fetched).commit == "c2"
    wait_until(lambda: world.list_queued()["api"] == "PUSH")


def test_a_push_to_a_log_is_heard_where_its_lock_is_waited_for(world):
    """Somebody let go of it; other logs say nothing new."""
    assert world.workspace_controller.handle_push("main")
    assert not world.workspace_controller.handle_push("provisioning/web")
    assert not world.workspace_controller.handle_push("topic")
    world.workspace_controller.state.last_cycles["web"] = LastCycle(
        at=0,
        commit="c1",
        result="lock-held",
        sentence="",
        is_known=False,
        due=None,
        success_at=None,
    )
    assert world.workspace_controller.handle_push("provisioning/web")
    assert not world.workspace_controller.handle_push("provisioning/api")
    wait_until(lambda: world.list_queued()["web"] == "PUSH")


def wait_until(is_so):
    deadline = threading.Event()
    for _ in range(30_000):
        if is_so():
            return
        deadline.wait(0.01)
    raise AssertionError


def test_keys_are_named_after_the_workspace(world):
    """Two workspaces may have an infra of the same name."""
    assert world.workspace_controller.state.get_key("web") == Key("shop", Topic.INFRA, "web")

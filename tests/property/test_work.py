"""The queue of a service against a plain account of what it was told."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from provisioning.core.scheduling.workqueue import Ending, Key, Topic, Urgency, WorkQueue

KEYS = [Key(workspace, Topic.INFRA, name) for workspace in "ab" for name in "xyz"]
keys = st.sampled_from(KEYS)


class Account(RuleBasedStateMachine):
    """What was asked for, what is worked on, and since when."""

    def __init__(self):
        super().__init__()
        self.queue = WorkQueue()
        self.now = 0.0
        self.asked = set()
        self.running = {}

    @rule(key=keys, urgency=st.sampled_from(Urgency))
    def add(self, key, urgency):
        self.queue.add(key, urgency, "", self.now)
        self.asked.add(key)

    @rule()
    def take(self):
        work = self.queue.take(self.now)
        if work is None:
            return
        assert work.key not in self.running, "never twice at once"
        assert work.key in self.asked, "never unasked"
        self.running[work.key] = work
        self.asked.discard(work.key)

    @rule(key=keys, is_good=st.booleans(), retry=st.none() | st.floats(0, 50))
    def end(self, key, is_good, retry):
        if key not in self.running:
            return
        del self.running[key]
        self.queue.end(key, Ending(is_good, None if is_good else retry), self.now)
        if not is_good and retry is not None:
            self.asked.add(key)

    @rule(seconds=st.floats(0, 100))
    def wait(self, seconds):
        self.now += seconds

    @rule(key=keys, need=keys)
    def need(self, key, need):
        ordered = KEYS.index(need) < KEYS.index(key)
        if ordered and need.workspace == key.workspace:
            self.queue.set_needs(key.workspace, {key: [need]})

    @rule(key=st.none() | keys)
    def pause(self, key):
        self.queue.pause(key)

    @rule(key=st.none() | keys)
    def resume(self, key):
        self.queue.resume(key)

    @rule(key=keys)
    def forget(self, key):
        self.queue.forget([key])
        if key not in self.running:
            self.asked.discard(key)

    @invariant()
    def is_never_lost(self):
        listed = {each.key for each in self.queue.list_work()}
        assert self.asked | set(self.running) >= listed
        assert self.asked - set(self.running) <= listed

    def teardown(self):
        """Once nothing is paused and all comes out well, everything asked for is taken."""
        self.queue.resume(None)
        for key in list(self.running):
            self.queue.end(key, Ending(is_good=True), self.now)
        for key in KEYS:
            self.queue.add(key, Urgency.PUSH, "", self.now)
        taken = set()
        while (work := self.queue.take(self.now)) is not None:
            taken.add(work.key)
            self.queue.end(work.key, Ending(is_good=True), self.now)
        assert taken == set(KEYS)
        assert self.queue.list_work() == []


Account.TestCase.settings = settings(max_examples=200, stateful_step_count=40)
TestAccount = Account.TestCase

"""A keeper goes on looking, whatever it meets."""

from queue import Queue

from provisioning.core.errors import RemoteUnreachable
from provisioning.reconciler.serving.crew import Crew
from provisioning.reconciler.serving.keeper import Keeper
from provisioning.reconciler.serving.news import Defect, FetchFailed
from provisioning.reconciler.serving.schedule import Schedule
from provisioning.reconciler.stopping import Stop


class BrokenWorkspace:
    """Raises what is no error of ours at first, and what is one later."""

    def __init__(self):
        self._errors = [ZeroDivisionError("a slip"), RemoteUnreachable("nobody is there")]

    def read_commit(self):
        raise self._errors.pop(0)


def test_a_defect_does_not_end_the_looking():
    """It is told and logged with its trace, the service is not ready, and it looks again."""
    told = Queue()
    crew = Crew(size=1, patience=60, tell=told.put)
    schedule, stop = Schedule(lambda _: None), Stop()
    workspace = BrokenWorkspace()
    keeper = Keeper("shop", lambda: workspace, crew, schedule, told.put, stop)
    assert not keeper.has_looked
    keeper.start()
    defect = told.get(timeout=30)
    assert isinstance(defect, Defect)
    assert "ZeroDivisionError: a slip" in defect.trace
    assert "a slip" in str(keeper.health.error)
    keeper.hint()
    failed = told.get(timeout=30)
    assert isinstance(failed, FetchFailed)
    stop.request()
    keeper.close()

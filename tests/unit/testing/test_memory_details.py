import threading

import pytest

from provisioning.core.model.errors import ProviderConflict, ProviderError
from provisioning.core.model.providers import (
    Absent,
    ObservationTarget,
    Present,
    ProbeReady,
    ProbeWaiting,
    Unreadable,
)
from provisioning.testing import MemoryProvider


def look(provider, name, attributes=(), owner="w/i"):
    target = ObservationTarget(id=name, kind=name.partition("/")[0], attributes=dict(attributes))
    return provider.observe(owner, [target]).answers[0]


def test_provider_picks_the_colour(memory, build_call):
    """A defaulted field that is left out gets the provider's choice, and keeps a chosen one."""
    bare = memory.create(build_call("Thing/a", {}))
    assert bare["color"] == "grey"
    red = memory.update(build_call("Thing/a", {"color": "red"}, bare))
    assert memory.update(build_call("Thing/a", {}, red))["color"] == "red"


def test_serial_is_of_the_creation(memory, build_call):
    """A serial survives updates and is new for each creation; the address follows both."""
    first = memory.create(build_call("Thing/a", {"zone": "north"}))
    updated = memory.update(build_call("Thing/a", {"zone": "north", "size": 9}, first))
    assert (updated["serial"], updated["address"]) == (first["serial"], first["address"])
    memory.delete(build_call("Thing/a", {}, first))
    second = memory.create(build_call("Thing/a", {"zone": "south"}))
    assert second["serial"] != first["serial"]
    assert second["address"].endswith(".south")


def test_field_left_out_is_unset(memory, build_call):
    """An update without a field that was stated removes it."""
    made = memory.create(build_call("Thing/a", {"size": 3}))
    assert "size" not in memory.update(build_call("Thing/a", {}, made))


def test_cloud_refuses_what_the_model_refuses(memory, world, build_call):
    """A spec of the wrong type is refused, and nothing is made."""
    with pytest.raises(ProviderError, match="size"):
        memory.create(build_call("Thing/a", {"size": "three"}))
    assert world.snapshot() == {}


def test_moved_thing_is_found_by_its_serial(memory, build_call):
    """An update under a new id finds what bears the old id's mark, and marks it anew."""
    made = memory.create(build_call("Thing/old", {}))
    moved = memory.update(build_call("Thing/new", {}, made))
    assert moved["serial"] == made["serial"]
    assert look(memory, "Thing/old") == Absent()
    assert isinstance(look(memory, "Thing/new"), Present)


def test_update_spares_another_infra(memory, world, build_call):
    """An update of what another infra owns is a conflict, and it is untouched."""
    theirs = memory.create(build_call("Slot/a", {"place": "p"}, infra="w/other"))
    before = world.snapshot()
    with pytest.raises(ProviderConflict, match="w/other/Slot/a"):
        memory.update(build_call("Slot/a", {"place": "p", "value": 1}, theirs))
    assert world.snapshot() == before


def test_update_of_what_is_gone_fails(memory, build_call):
    """There is nothing to update where nothing is, and nothing is made there."""
    with pytest.raises(ProviderError, match="gone"):
        memory.update(build_call("Thing/a", {}, {"serial": "thing-000009"}))
    assert look(memory, "Thing/a") == Absent()


def test_second_thing_of_one_owner_is_a_conflict(memory, world, build_call):
    """What is found by mark is never made twice: by another operation it is a conflict."""
    memory.create(build_call("Thing/a", {}))
    with pytest.raises(ProviderConflict):
        memory.create(build_call("Thing/a", {}))
    assert len(world.snapshot()) == 1


def test_answers_are_copies(memory, world, build_call):
    """Changing an answer, or the spec afterwards, does not change the world."""
    spec = {"settings": {"a": [1]}}
    answer = memory.create(build_call("Thing/a", spec))
    answer["settings"]["a"].append(2)
    spec["settings"]["a"].append(3)
    look(memory, "Thing/a").attributes["settings"]["a"].append(4)
    (live,) = world.snapshot().values()
    assert live.attributes["settings"] == {"a": [1]}


def test_drift_by_hand_is_seen(memory, world, build_call):
    """What a test changes in the world the provider reports."""
    made = memory.create(build_call("Thing/a", {"size": 1}))
    world.change(made["serial"], {"size": 2})
    assert look(memory, "Thing/a").attributes["size"] == 2
    world.remove(made["serial"])
    assert look(memory, "Thing/a") == Absent()


def test_recorded_only_is_never_observed(memory):
    """A Note cannot be looked at; its place says so instead of calling it absent."""
    assert isinstance(look(memory, "Note/n"), Unreadable)


def test_unreadable_says_why(memory, world, build_call):
    """An unreadable resource keeps the reason the test gave, until the test takes it back."""
    memory.create(build_call("Thing/a", {}))
    world.unreadable["Thing/a"] = "permission denied"
    assert look(memory, "Thing/a") == Unreadable("permission denied")
    del world.unreadable["Thing/a"]
    assert isinstance(look(memory, "Thing/a"), Present)


def test_service_waits_as_often_as_it_says(memory, build_call):
    """A Service answers Waiting `ready_after` times, then Ready; a broken one fails for good."""
    made = memory.create(build_call("Service/s", {"ready_after": 2, "timeout": 7.0}))
    answers = [memory.probe("Service", made) for _ in range(4)]
    assert [type(answer) for answer in answers] == [
        ProbeWaiting,
        ProbeWaiting,
        ProbeReady,
        ProbeReady,
    ]
    assert memory.get_probe_timeout("Service", made) == 7.0
    broken = memory.create(build_call("Service/b", {"ready_after": -1}))
    with pytest.raises(ProviderError, match="exited"):
        memory.probe("Service", broken)


def test_what_needs_no_probe_has_no_timeout(memory):
    """A time-out of 0 says that there is nothing to probe."""
    assert memory.get_probe_timeout("Service", {}) == 0
    assert memory.get_probe_timeout("Thing", {"ready_after": 3}) == 0
    assert memory.probe("Thing", {}) == ProbeReady()


def test_unknown_kind_is_refused(memory, build_call):
    """A kind that the provider does not serve is refused by name."""
    with pytest.raises(ProviderError, match="Bucket"):
        memory.create(build_call("Bucket/b", {}))


def test_providers_share_a_world_in_threads(world, build_call):
    """Of many equal creates at once, on providers of their own, exactly one thing comes."""
    call = build_call("Thing/a", {"size": 1})
    start = threading.Barrier(8)

    def create():
        start.wait()
        MemoryProvider(world).create(call)

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(world.snapshot()) == 1
    assert world.calls["create"] == 8


def test_importing_the_provider_loads_no_pydantic():
    """The models are loaded when a manifest is checked, and not before."""
    import subprocess
    import sys

    code = "import sys, provisioning.testing as t; list(t.MemoryProvider(t.World()).describe())"
    check = "; print([m for m in ('pydantic', 'pytest') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code + check], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"

import threading

import pytest

from provisioning.core.model.errors import ProviderError, ProviderThrottled, ProviderTransient
from provisioning.core.model.providers import ObservationTarget, Present, ProbeReady, Probes
from provisioning.testing import (
    ALWAYS,
    Crash,
    Faults,
    FaultyProvider,
    Latch,
    MemoryProvider,
    after,
    answering,
    before,
    crash,
    half,
    lost,
    permanent,
    slow,
    throttled,
    too_few_answers,
    transient,
    without,
)


@pytest.fixture
def faults():
    return Faults()


@pytest.fixture
def provider(memory, faults):
    return FaultyProvider(memory, faults)


def targets(*names):
    return [
        ObservationTarget(id=name, kind=name.partition("/")[0], attributes={}) for name in names
    ]


@pytest.mark.parametrize(
    ("fault", "error", "is_made"),
    [
        pytest.param(transient(), ProviderTransient, False, id="transient"),
        pytest.param(permanent(), ProviderError, False, id="permanent"),
        pytest.param(throttled(2.0), ProviderThrottled, False, id="throttled"),
        pytest.param(before(KeyError("id")), KeyError, False, id="foreign exception"),
        pytest.param(lost(), ProviderTransient, True, id="lost"),
        pytest.param(after(ValueError("x")), ValueError, True, id="after"),
        pytest.param(crash("before"), Crash, False, id="crash before"),
        pytest.param(crash("after"), Crash, True, id="crash after"),
        pytest.param(half("size"), ProviderTransient, True, id="half"),
    ],
)
def test_fault_has_its_effect(fault, error, is_made, provider, faults, world, build_call):
    """A fault raises what it says, with the effect it says."""
    faults.inject("create", fault)
    with pytest.raises(error):
        provider.create(build_call("Thing/a", {"size": 1}))
    assert bool(world.snapshot()) is is_made
    assert faults.has_struck()


def test_throttled_says_when_to_come_back(provider, faults, build_call):
    """The seconds to wait reach the caller."""
    faults.inject("create", throttled(2.5))
    with pytest.raises(ProviderThrottled) as caught:
        provider.create(build_call("Thing/a", {}))
    assert caught.value.retry_after == 2.5


def test_transient_some_times_then_well(provider, faults, world, build_call):
    """A fault that strikes twice leaves the third call alone."""
    faults.inject("create", transient(), times=2)
    call = build_call("Thing/a", {})
    for _ in range(2):
        with pytest.raises(ProviderTransient):
            provider.create(call)
    provider.create(call)
    assert world.calls["create"] == 1


def test_fault_waits_for_its_call(provider, faults, build_call):
    """Only the n-th call about the named resource is struck."""
    faults.inject("create", permanent(), resource="Thing/b", nth=2)
    provider.create(build_call("Thing/a", {}))
    call = build_call("Thing/b", {})
    provider.create(call)
    provider.create(build_call("Thing/c", {}))
    assert not faults.has_struck()
    with pytest.raises(ProviderError):
        provider.create(call)


def test_fault_can_last(provider, faults, build_call):
    """A fault may strike for ever, and a method that is not named is spared."""
    faults.inject("update", transient(), times=ALWAYS)
    made = provider.create(build_call("Thing/a", {}))
    for _ in range(5):
        with pytest.raises(ProviderTransient):
            provider.update(build_call("Thing/a", {}, made))
    provider.delete(build_call("Thing/a", {}, made))


def test_first_of_several_faults_strikes(provider, faults, build_call):
    """Of faults due at once the first injected strikes, and both count the call."""
    faults.inject("create", permanent())
    faults.inject("create", lost(), nth=2)
    call = build_call("Thing/a", {})
    with pytest.raises(ProviderError, match="refused"):
        provider.create(call)
    with pytest.raises(ProviderTransient, match="lost"):
        provider.create(call)


def test_observation_of_one_can_fail(provider, faults):
    """A look at several resources is struck if the named one is among them."""
    faults.inject("observe", transient(), resource="Thing/b")
    assert len(provider.observe("w/i", targets("Thing/a")).answers) == 1
    with pytest.raises(ProviderTransient):
        provider.observe("w/i", targets("Thing/a", "Thing/b"))


def test_half_is_marked_and_completed(provider, faults, build_call):
    """What is half made bears the mark and only the kept fields; the same create completes it."""
    faults.inject("create", half("size"))
    call = build_call("Thing/a", {"size": 1, "tags": ["x"]})
    with pytest.raises(ProviderTransient):
        provider.create(call)
    (seen,) = provider.observe("w/i", targets("Thing/a")).answers
    assert seen.mark == call.mark
    assert seen.attributes["size"] == 1
    assert "tags" not in seen.attributes
    assert provider.create(call)["tags"] == ["x"]


def test_half_keeps_the_place(provider, faults, world, build_call):
    """What is half made stands where it will be looked for."""
    faults.inject("create", half())
    with pytest.raises(ProviderTransient):
        provider.create(build_call("Slot/a", {"place": "p", "value": 1}))
    (live,) = world.snapshot().values()
    assert live.attributes == {"place": "p"}


def test_the_dead_do_nothing(provider, faults, memory, world, build_call):
    """After a crash nothing more is done through it, not even in a `finally`."""
    faults.inject("create", crash("after"))
    call = build_call("Thing/a", {})
    with pytest.raises(Crash):
        provider.create(call)
    for method in (lambda: provider.delete(call), provider.close, provider.describe):
        with pytest.raises(Crash):
            method()
    assert len(world.snapshot()) == 1
    assert isinstance(memory.observe("w/i", targets("Thing/a")).answers[0], Present)


def test_crash_is_no_exception():
    """`except Exception` does not catch a crash."""
    assert not issubclass(Crash, Exception)


def test_slow_waits_for_the_latch(provider, faults, world, build_call):
    """A slow call has its effect when the test opens the latch, and not before."""
    latch = Latch()
    faults.inject("create", slow(latch))
    call = build_call("Thing/a", {})
    thread = threading.Thread(target=provider.create, args=(call,))
    thread.start()
    latch.wait_for_arrival()
    assert world.snapshot() == {}
    latch.open()
    thread.join()
    assert len(world.snapshot()) == 1


def test_latch_gives_up(monkeypatch):
    """A latch that nobody opens ends the test instead of hanging it."""
    monkeypatch.setattr("provisioning.testing.faults.LATCH_SECONDS", 0)
    with pytest.raises(TimeoutError, match="opened"):
        Latch().pass_through()
    with pytest.raises(TimeoutError, match="came"):
        Latch().wait_for_arrival()


def test_answers_break_the_contract(provider, faults, build_call):
    """An answer may be too short, lack fields or be of another type; the effect is there."""
    faults.inject("observe", too_few_answers())
    faults.inject("observe", without("serial"), nth=2)
    faults.inject("create", answering(42))
    faults.inject("update", without("serial", "address"))
    call = build_call("Thing/a", {})
    assert provider.create(call) == 42
    assert provider.observe("w/i", targets("Thing/a")).answers == []
    observed = provider.observe("w/i", targets("Thing/a", "Thing/b"))
    assert "serial" not in observed.answers[0].attributes
    assert provider.update(call) == {"color": "grey"}


def test_probes_stay_probes(provider, faults, build_call):
    """A provider that can probe can still, faults and all; one that cannot is not said to."""
    assert isinstance(provider, Probes)
    faults.inject("probe", transient())
    made = provider.create(build_call("Service/s", {"ready_after": 0, "timeout": 3.0}))
    with pytest.raises(ProviderTransient):
        provider.probe("Service", made)
    assert provider.probe("Service", made) == ProbeReady()
    assert provider.get_probe_timeout("Service", made) == 0

    class Mute:
        name = "mute"

    assert not isinstance(FaultyProvider(Mute(), faults), Probes)


def test_no_fault_no_difference(world, build_call):
    """Without faults the wrapped provider answers as it would alone."""
    memory = MemoryProvider(world)
    provider = FaultyProvider(memory, Faults())
    call = build_call("Thing/a", {"size": 1})
    assert provider.name == "memory"
    assert provider.describe() == memory.describe()
    assert provider.create(call) == memory.create(call)
    provider.close()
    assert world.calls["close"] == 1

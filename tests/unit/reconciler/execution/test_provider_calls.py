import pytest

from provisioning.core.model.errors import ProviderMisbehaved
from provisioning.core.model.ids import ResourceId
from provisioning.core.model.providers import ObservationTarget, Observed, Present, Unreadable
from provisioning.core.model.values import Omitted
from provisioning.reconciler.execution.provider_calls import check_attributes, observe_targets
from provisioning.testing.memory import MemoryProvider
from provisioning.testing.memory_kinds import NOTE
from provisioning.testing.worlds import World

NAME = ResourceId("Note/n")


def nest(depth):
    value = "x"
    for number in range(depth):
        value = [value] if number % 2 else {"a": value}
    return value


def loop():
    value = []
    value.append(value)
    return value


class Answering(MemoryProvider):
    def __init__(self, answer):
        super().__init__(World())
        self.answer = answer

    def observe(self, owner, targets):
        return Observed(answers=[Present(self.answer, None)] * len(targets))


STRANGE = {
    "too deep": ({"output": nest(100)}, "nested more than 100 deep"),
    "without end": ({"output": loop()}, "nested more than 100 deep"),
    "an object": ({"output": [object()]}, "<object object at"),
    "a set": ({"output": {1}}, "{1}"),
    "a key that is no text": ({"output": {1: 2}}, "1, which JSON"),
    "a name that is no text": ({"output": 1, 2: 3}, "2, which JSON"),
    "no number": ({"output": float("nan")}, "nan"),
    "without bounds": ({"output": [float("inf")]}, "inf"),
}


@pytest.mark.parametrize(("answer", "told"), STRANGE.values(), ids=STRANGE)
def test_a_provider_is_blamed_for_what_nobody_can_record(answer, told):
    """P9: such an answer ends in one clear error, and what was seen so counts as unreadable."""
    provider = Answering(answer)
    with pytest.raises(ProviderMisbehaved, match="provider 'memory' answered for Note/n") as caught:
        check_attributes(provider, NAME, NOTE, {}, answer, b"k")
    assert told in caught.value.message
    target = ObservationTarget(id=NAME, kind="Note", attributes={})
    (seen,) = observe_targets(provider, "w/web", [target])
    assert isinstance(seen, Unreadable)
    assert told in seen.reason


@pytest.mark.parametrize("answer", [nest(99), Omitted("0" * 64, 3), b"\xff", (1, 2.5, None, True)])
def test_what_can_be_recorded_is_taken(answer):
    """Nothing else is refused: content, digests, and as many levels as a manifest may have."""
    answer = {"output": answer}
    assert check_attributes(Answering(answer), NAME, NOTE, {}, answer, b"k") == answer
    target = ObservationTarget(id=NAME, kind="Note", attributes={})
    assert observe_targets(Answering(answer), "w/web", [target]) == [Present(answer, None)]

"""The key of fingerprints is rotated: former ones are known, and renewed by the next run."""

import pytest
from msgspec.structs import replace
from sandboxes import Sandbox, build_resource

from provisioning.core.model.providers import Present
from provisioning.core.model.records import Action
from provisioning.core.model.values import FingerprintKey, compute_fingerprint
from provisioning.core.plan.change_reasons import BEHIND
from provisioning.reconciler.planning.plan_result import RunRequest
from provisioning.testing.memory import MemoryProvider
from provisioning.testing.worlds import World

OLD, NEW = b"o" * 32, b"n" * 32
THING = build_resource("Thing/a", {"size": 1, "password": "hunter2"})


class Discreet(MemoryProvider):
    """Keeps passwords to itself, so that only the record has a fingerprint to compare with."""

    def observe(self, owner, targets):
        observed = super().observe(owner, targets)
        return replace(observed, answers=[hide(answer) for answer in observed.answers])


def hide(answer):
    if not isinstance(answer, Present):
        return answer
    return Present({n: it for n, it in answer.attributes.items() if n != "password"}, answer.mark)


@pytest.fixture(params=[MemoryProvider, Discreet])
def box(request, tmp_path):
    world = World()
    return Sandbox(tmp_path, world=world, provider=request.param(world))


def run(box, commit, key):
    request = RunRequest(commit=commit, reason="test")
    return box.build_reconciler(key=key).reconcile(request)


def read_password(box):
    return box.read_records()["Thing/a"].spec["password"]


def test_a_fingerprint_under_a_former_key_is_no_change(box):
    """The next run renews it in the state log, without a call of the provider."""
    commit = box.commits.commit(THING)
    run(box, commit, OLD)
    calls = box.world.calls["update"]
    (change,) = run(box, commit, FingerprintKey(NEW, [OLD])).plan_result.plan.changes
    assert (change.action, change.reason, change.fields) == (Action.ADOPT, BEHIND, ())
    assert box.world.calls["update"] == calls
    assert read_password(box) == compute_fingerprint("hunter2", NEW)
    assert run(box, commit, FingerprintKey(NEW, [OLD])).run is None
    assert run(box, commit, NEW).run is None


def test_a_value_that_changed_meanwhile_is_a_change(box):
    """A former key hides nothing."""
    run(box, box.commits.commit(THING), OLD)
    other = box.commits.commit(build_resource("Thing/a", {"size": 1, "password": "hunter3"}))
    (change,) = run(box, other, FingerprintKey(NEW, [OLD])).plan_result.plan.changes
    assert (change.action, change.reason) == (Action.UPDATE, "the manifest changed")
    assert read_password(box) == compute_fingerprint("hunter3", NEW)

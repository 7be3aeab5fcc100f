"""The order of a sweep, whatever the names say."""

import threading
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sandboxes import build_resource

from provisioning.core.infras.dependencies import compute_links
from provisioning.core.infras.order import compute_needs, order_infras
from provisioning.core.model.errors import DependencyCycle, ProviderError, Source
from provisioning.reconciler.planning.plan_result import Conclusion
from provisioning.reconciler.resync import resync

HERE = Source("infra/x/x.yaml", 1)


def need(*others):
    return dict.fromkeys(others, HERE)


def report(conclusion=Conclusion.APPLIED):
    return SimpleNamespace(conclusion=conclusion)


@st.composite
def graphs(draw):
    names = draw(st.permutations("abcdefg"))
    return {
        name: need(*(other for other in names[:index] if draw(st.booleans())))
        for index, name in enumerate(names)
    }


@settings(max_examples=80, deadline=None)
@given(graphs(), st.sets(st.sampled_from("abcdefg")), st.integers(1, 4))
def test_each_infra_follows_what_it_refers_to_and_waits_for_trouble(needs, bad, parallelism):
    """Nothing runs before its upstream has come out well; what is beside it runs all the same."""
    began, ended, mutex = [], set(), threading.Lock()

    def run(infra):
        with mutex:
            began.append(infra)
            assert set(needs[infra]) <= ended
        if infra in bad:
            raise ProviderError("no")
        with mutex:
            ended.add(infra)
        return report()

    resynced = {each.infra: each for each in resync(needs, run, parallelism=parallelism)}
    assert resynced.keys() == needs.keys()
    for infra, each in resynced.items():
        stuck = [other for other in needs[infra] if not resynced[other].is_success]
        assert (each.waits_for in stuck) if stuck else (each.waits_for is None)
        assert (infra in began) is (not stuck)


def test_independent_infras_run_side_by_side():
    """Two that need nothing of each other are under way at the same time."""
    both = threading.Barrier(2, timeout=20)

    def run(infra):
        both.wait()
        return report()

    assert all(each.is_success for each in resync({"a": {}, "b": {}}, run, parallelism=2))


@pytest.mark.parametrize("conclusion", [Conclusion.BLOCKED, Conclusion.FAILED])
def test_an_upstream_that_is_blocked_or_failed_keeps_others_waiting(conclusion):
    """Its outputs may not be what they should be."""
    done = [*resync({"a": {}, "b": need("a")}, lambda _: report(conclusion), parallelism=2)]
    assert [(each.infra, each.waits_for) for each in done] == [("a", None), ("b", "a")]


def test_nothing_new_begins_once_it_is_to_stop():
    """What runs is finished, and the rest is not reported."""
    done = [*resync({"a": {}, "b": {}}, lambda _: report(), parallelism=1, is_stopped=lambda: True)]
    assert done == []


def test_a_defect_is_not_taken_for_a_result():
    """What is no error of ours ends the sweep."""
    with pytest.raises(ZeroDivisionError):
        [*resync({"a": {}}, lambda _: 1 / 0, parallelism=1)]


def refer(infra, *others):
    spec = {"input": " ".join(f"{{{{infra.{other}.Note/n.output}}}}" for other in others)}
    return compute_links([build_resource("Note/n", spec)], dict)


def test_references_order_the_infras():
    """By what manifests say; an infra that is not there orders nothing."""
    needs = compute_needs(
        {"a": refer("a", "b", "gone"), "b": refer("b", "c"), "c": refer("c"), "d": refer("d", "d")}
    )
    assert order_infras(needs) == ["c", "b", "a", "d"]


def test_a_ring_of_infras_is_named_with_its_places():
    """The path, and file and line of each reference in it."""
    desired = {"a": refer("a", "b"), "b": refer("b", "c"), "c": refer("c", "b"), "d": refer("d")}
    with pytest.raises(DependencyCycle, match="b -> c -> b") as caught:
        compute_needs(desired)
    assert "b -> c (infra/web/all.yaml:1)" in caught.value.hint

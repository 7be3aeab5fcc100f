"""Runs every input that is known through its target; needs no fuzzer."""

from __future__ import annotations

import importlib
import signal
from pathlib import Path

import pytest

HERE = Path(__file__).parent
INPUTS = sorted(path for root in ("corpora", "findings") for path in HERE.glob(f"{root}/*/*"))
SECONDS = 10


@pytest.fixture(scope="module")
def targets():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(HERE)
        yield importlib.import_module("targets").TARGETS


@pytest.fixture
def _no_hang():
    def give_up(*_):
        pytest.fail(f"no answer after {SECONDS} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("_no_hang")
@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.name}-{path.name[:24]}")
def test_the_parser_keeps_its_promise(targets, path):
    """A value, or an error of ours that names a way out; what is written is read the same."""
    targets[path.parent.name].check(path.read_bytes())


def test_every_target_has_a_corpus(targets):
    """A target without an input to begin with would find nothing; one without a name, nobody."""
    assert {path.parent.name for path in INPUTS} == set(targets)

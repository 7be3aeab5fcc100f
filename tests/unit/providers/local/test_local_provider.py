import errno
import os
from pathlib import Path

import pytest

from provisioning import providers
from provisioning.core.model.errors import ProviderError, ProviderTransient
from provisioning.core.model.ids import Mark, ResourceId, RunId
from provisioning.core.model.providers import (
    Absent,
    Call,
    ObservationTarget,
    Present,
    Probes,
    Provider,
)
from provisioning.providers.local import LocalProvider
from provisioning.providers.local.kernel_errors import translated


@pytest.fixture
def provider(tmp_path: Path) -> LocalProvider:
    return LocalProvider(tmp_path / "root", tmp_path / "home")


def build_call(name: str, spec: dict) -> Call:
    kind = name.partition("/")[0]
    mark = Mark(f"w/i/{name}", RunId("1-abcdef"), 1)
    return Call(id=ResourceId(name), kind=kind, mark=mark, spec=spec, attributes={}, deadline=30.0)


def test_protocols(provider):
    """The local provider is a provider that can probe."""
    checked: Provider = provider
    assert isinstance(checked, Probes)
    assert {kind.provider for kind in checked.describe()} == {"local"}


def test_public_names():
    """What a provider is written with is to be had in one place."""
    assert all(hasattr(providers, name) for name in providers.__all__)


def test_value_passes_its_input_on(provider, tmp_path):
    """A `Value` touches nothing; its output is its input."""
    call = build_call("Value/a", {"input": {"a": [1]}, "triggers": 1})
    made = provider.create(call)
    assert made == provider.update(call) == {**call.spec, "output": {"a": [1]}}
    assert provider.create(build_call("Value/a", {})) == {"output": None}
    provider.delete(call)
    assert list(tmp_path.iterdir()) == []


def test_value_is_there_if_it_was_recorded(provider):
    """A `Value` that has an output was made; its attributes are those recorded."""
    recorded = [{"input": 1, "output": 1}, {"input": 1}, {}]
    targets = [
        ObservationTarget(id=ResourceId("Value/a"), kind="Value", attributes=each)
        for each in recorded
    ]
    answers = provider.observe("w/i", targets).answers
    assert list(answers) == [Present(recorded[0], None), Absent(), Absent()]


def test_unknown_kind(provider):
    """A kind of somebody else is refused."""
    with pytest.raises(ProviderError, match="no kind Server"):
        provider.create(build_call("Server/a", {}))


@pytest.mark.parametrize(
    ("number", "error", "words"),
    [
        (errno.EINTR, ProviderTransient, "interrupted"),
        (errno.EAGAIN, ProviderTransient, "temporarily"),
        (errno.ENOSPC, ProviderError, "no space left"),
        (errno.EROFS, ProviderError, "read-only"),
        (errno.EACCES, ProviderError, f"denied for the user with id {os.geteuid()}"),
        (errno.EPERM, ProviderError, "not permitted"),
    ],
)
def test_kernel_errors(number, error, words):
    """What the kernel refuses is said once, with what we were busy with and what would help."""
    with (
        pytest.raises(ProviderError, match=f"site/index: .*{words}") as caught,
        translated("site/index"),
    ):
        raise OSError(number, os.strerror(number))
    assert type(caught.value) is error
    assert bool(caught.value.hint) == (error is ProviderError)
    assert isinstance(caught.value.__cause__, OSError)

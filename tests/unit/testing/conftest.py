from collections.abc import Callable
from itertools import count

import pytest

from provisioning.core.model.ids import Mark, ResourceId, RunId
from provisioning.core.model.providers import Call
from provisioning.testing import MemoryProvider, World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def memory(world: World) -> MemoryProvider:
    return MemoryProvider(world)


@pytest.fixture
def build_call() -> Callable[..., Call]:
    operations = count(1)

    def build(name: str, spec: dict, attributes: dict | None = None, infra: str = "w/i") -> Call:
        return Call(
            id=ResourceId(name),
            kind=name.partition("/")[0],
            mark=Mark(f"{infra}/{name}", RunId("1-abcdef"), next(operations)),
            spec=spec,
            attributes=attributes or {},
            deadline=5.0,
        )

    return build

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from signal import SIGKILL
from typing import Any

import pytest

from provisioning.core.expressions.references import expand_spec
from provisioning.core.model.ids import Mark, ResourceId, RunId
from provisioning.core.model.providers import Absent, Call, ObservationTarget, Present
from provisioning.providers.local import LocalProvider
from provisioning.providers.local.kinds import KINDS
from provisioning.providers.local.processes.procfs import find_group, find_members
from provisioning.providers.local.processes.termination import stop_all

BY_NAME = {kind.name: kind for kind in KINDS}


@dataclass
class Bench:
    """A provider of its own, and calls as the engine would make them."""

    path: Path
    infra: str = field(default_factory=lambda: f"{uuid.uuid4().hex}/web")
    numbers: Any = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.root, self.home = self.path / "live", self.path / "home"
        self.shared = self.path / "shared"
        self.shared.mkdir(exist_ok=True)
        self.provider = self.build()

    def build(self) -> LocalProvider:
        return LocalProvider(root=self.root, allow=[self.shared], home=self.home)

    def call(
        self, name: str, spec: dict | None = None, attributes: dict | None = None, **more: Any
    ) -> Call:
        kind = name.partition("/")[0]
        infra = more.pop("infra", self.infra)
        return Call(
            id=ResourceId(name),
            kind=kind,
            mark=Mark(f"{infra}/{name}", RunId(more.pop("run", "1-abcdef")), next(self.numbers)),
            spec=expand_spec(BY_NAME[kind], spec, {}) if spec else {},
            attributes=attributes or {},
            deadline=more.pop("deadline", 30.0),
        )

    def create(self, name: str, spec: dict, **more: Any) -> Any:
        return self.provider.create(self.call(name, spec, **more))

    def update(self, name: str, spec: dict, **more: Any) -> Any:
        seen = self.observe(name, spec)
        attributes = seen.attributes if isinstance(seen, Present) else {}
        return self.provider.update(self.call(name, spec, attributes, **more))

    def delete(self, name: str, place: dict | None = None) -> None:
        self.provider.delete(self.call(name, {}, self.look(name, place).attributes))

    def observe(self, name: str, place: dict | None = None) -> Any:
        kind = name.partition("/")[0]
        target = ObservationTarget(id=ResourceId(name), kind=kind, attributes=place or {})
        return self.provider.observe(self.infra, [target]).answers[0]

    def look(self, name: str, place: dict | None = None) -> Present:
        seen = self.observe(name, place)
        assert isinstance(seen, Present), seen
        return seen

    def list_names(self) -> list[str]:
        return sorted(str(path.relative_to(self.root)) for path in self.root.rglob("*"))

    def is_absent(self, name: str, place: dict | None = None) -> bool:
        return isinstance(self.observe(name, place), Absent)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    stop_all(lambda: find_group(lambda: find_members(bench.infra.split("/")[0])), SIGKILL, 5)
    bench.observe("Process/none")


@pytest.fixture
def without_attributes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take extended attributes away, as on a file system that has none."""
    import errno
    import os

    def refuse(*arguments: object, **named: object) -> None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    monkeypatch.setattr(os, "setxattr", refuse)
    monkeypatch.setattr(os, "getxattr", refuse)


@pytest.fixture
def without_nameless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take O_TMPFILE away, as on a file system that has no nameless files."""
    import errno
    import os

    real = os.open

    def refuse(path: Any, flags: int, *arguments: Any, **named: Any) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        return real(path, flags, *arguments, **named)

    monkeypatch.setattr(os, "open", refuse)


@pytest.fixture
def wait_until() -> Callable[[Callable[[], object]], None]:
    import select
    import time

    def wait(holds: Callable[[], object], seconds: float = 100.0) -> None:
        until = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < until, "it did not come true in time"
            select.select([], [], [], 0.005)

    return wait

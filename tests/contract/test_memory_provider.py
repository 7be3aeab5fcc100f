from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from provisioning.core.model.providers import Call
from provisioning.testing import Case, MemoryProvider, PlanningMemoryProvider, ProviderSuite, World
from provisioning.testing.memory_kinds import MACHINE, NOTE, SERVICE, SLOT, THING
from provisioning.testing.slow_provider import Operations, SlowProvider

WHOLE_THING = {
    "size": 2,
    "zone": "north",
    "tags": ["b", "a"],
    "rules": [{"name": "http", "port": 80}, {"name": "https", "port": 443}],
    "password": "hunter2",
    "settings": {"deep": {"list": [1, None, True, 1.5, "é"]}},
    "link": "Slot/s",
    "input": {"any": ["thing"]},
}

WHOLE_MACHINE: dict[str, Any] = {
    "disk": {"size": 5},
    "auth": {"user": "u", "password": "hunter2"},
    "env": {"A": "hunter2"},
    "rules": [
        {"name": "http", "port": 80, "token": "hunter2", "hosts": ["b", "a"]},
        {"name": "https", "port": 443},
    ],
}


def hide(suite: Any, case_id: str) -> None:
    suite.world.unreadable[case_id] = "permission denied"


def leave_half(suite: Any, call: Call) -> None:
    suite.world.add(call.kind, {"zone": "north"}, call.mark)


class TestMemoryProvider(ProviderSuite):
    @pytest.fixture(autouse=True)
    def _new_world(self) -> None:
        self.world = World()

    def build_provider(self, tmp_path: Path) -> MemoryProvider:
        return MemoryProvider(self.world)

    def read_world(self) -> object:
        return self.world.snapshot()

    def build_cases(self) -> Sequence[Case]:
        return [
            Case(
                kind=THING,
                name="whole",
                spec=WHOLE_THING,
                changed_spec={**WHOLE_THING, "size": 3, "color": "red", "tags": []},
                immutable_change={**WHOLE_THING, "zone": "south"},
                unreadable=lambda suite: hide(suite, "Thing/whole"),
                half=leave_half,
            ),
            Case(kind=THING, name="bare", spec={}, changed_spec={"input": 1}),
            Case(
                kind=SLOT,
                name="first",
                spec={"place": "p1", "value": 1},
                changed_spec={"place": "p1", "value": 2},
                immutable_change={"place": "p2", "value": 1},
                foreign=lambda suite: suite.world.add("Slot", {"place": "p1", "value": "theirs"}),
                unreadable=lambda suite: hide(suite, "Slot/first"),
                half=lambda suite, call: suite.world.add("Slot", {"place": "p1"}, call.mark),
            ),
            Case(
                kind=SERVICE,
                name="late",
                spec={"ready_after": 2, "command": ["serve"]},
                changed_spec={"ready_after": 2, "command": ["serve", "--fast"]},
            ),
            Case(
                kind=MACHINE,
                name="nested",
                spec=WHOLE_MACHINE,
                changed_spec={
                    **WHOLE_MACHINE,
                    "disk": {"size": 5, "speed": 9},
                    "auth": {"user": "u", "password": "other"},
                    "rules": WHOLE_MACHINE["rules"][1:],
                },
                immutable_change={**WHOLE_MACHINE, "disk": {"size": 6}},
            ),
            Case(kind=NOTE, name="note", spec={"input": {"a": 1}}, changed_spec={"input": [2]}),
        ]


class TestSlowProvider(TestMemoryProvider):
    """Every truth holds for a provider whose operations take a while."""

    @pytest.fixture(autouse=True)
    def _new_operations(self) -> None:
        self.operations = Operations(steps=3)

    def build_provider(self, tmp_path: Path) -> SlowProvider:
        return SlowProvider(MemoryProvider(self.world), self.operations)


class TestPlanningMemoryProvider(TestMemoryProvider):
    """In its planning mode it keeps the same contract, and plans what comes true."""

    def build_provider(self, tmp_path: Path) -> MemoryProvider:
        return PlanningMemoryProvider(self.world)
